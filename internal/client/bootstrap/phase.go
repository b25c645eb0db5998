package bootstrap

// A Phase is a step of the start. Its number is the percentage that is told.
type Phase int

// The phases, by C tor's numbers. Descriptors count from LoadingDescriptors up to EnoughDirInfo.
const (
	Starting              Phase = 0
	Conn                  Phase = 5
	ConnDone              Phase = 10
	Handshake             Phase = 14
	HandshakeDone         Phase = 15
	OneHopCreate          Phase = 20
	RequestingStatus      Phase = 25
	LoadingStatus         Phase = 30
	LoadingKeys           Phase = 40
	RequestingDescriptors Phase = 45
	LoadingDescriptors    Phase = 50
	EnoughDirInfo         Phase = 75
	APConn                Phase = 80
	APConnDone            Phase = 85
	APHandshake           Phase = 89
	APHandshakeDone       Phase = 90
	CircuitCreate         Phase = 95
	Done                  Phase = 100
)

var phases = []struct {
	phase        Phase
	tag, summary string
}{ // the words are an interface: see the control protocol's STATUS_CLIENT BOOTSTRAP
	{Done, "done", "Done"},
	{CircuitCreate, "circuit_create", "Establishing a Tor circuit"},
	{APHandshakeDone, "ap_handshake_done", "Handshake finished with a relay to build circuits"},
	{APHandshake, "ap_handshake", "Finishing handshake with a relay to build circuits"},
	{APConnDone, "ap_conn_done", "Connected to a relay to build circuits"},
	{APConn, "ap_conn", "Connecting to a relay to build circuits"},
	{EnoughDirInfo, "enough_dirinfo", "Loaded enough directory info to build circuits"},
	{LoadingDescriptors, "loading_descriptors", "Loading relay descriptors"},
	{RequestingDescriptors, "requesting_descriptors", "Asking for relay descriptors"},
	{LoadingKeys, "loading_keys", "Loading authority key certs"},
	{LoadingStatus, "loading_status", "Loading networkstatus consensus"},
	{RequestingStatus, "requesting_status", "Asking for networkstatus consensus"},
	{OneHopCreate, "onehop_create", "Establishing an encrypted directory connection"},
	{HandshakeDone, "handshake_done", "Handshake with a relay done"},
	{Handshake, "handshake", "Handshaking with a relay"},
	{ConnDone, "conn_done", "Connected to a relay"},
	{Conn, "conn", "Connecting to a relay"},
	{Starting, "starting", "Starting"},
}

// Status is how far the start has come. It is published on the event bus at each change.
type Status struct {
	Percent int
	Tag     string
	Summary string
}

func (p Phase) status() Status {
	for _, x := range phases {
		if p >= x.phase {
			return Status{int(p), x.tag, x.summary}
		}
	}
	return Status{}
}
