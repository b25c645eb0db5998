package config

// localPortsOptions are about other doors for local programs: DNS, transparent proxy, HTTP, control, metrics.
var localPortsOptions = []Option{
	{Name: "DNSPort", Kind: Lines, Group: "DNSPortLines", Effect: Refused, Help: "where DNS requests are answered"},
	{Name: "__DNSPort", Kind: Lines, Group: "DNSPortLines", Effect: Refused, Help: "a DNSPort that SAVECONF leaves out"},
	{Name: "TransPort", Kind: Lines, Group: "TransPortLines", Effect: Refused, Help: "where redirected connections are taken"},
	{Name: "__TransPort", Kind: Lines, Group: "TransPortLines", Effect: Refused, Help: "a TransPort that SAVECONF leaves out"},
	{Name: "TransProxyType", Kind: String, Default: "default", Effect: Refused, Help: "how connections reach TransPort"},
	{Name: "NATDPort", Kind: Lines, Group: "NATDPortLines", Effect: Refused, Help: "where connections from ipfw's natd are taken"},
	{Name: "__NATDPort", Kind: Lines, Group: "NATDPortLines", Effect: Refused, Help: "a NATDPort that SAVECONF leaves out"},
	{Name: "HTTPTunnelPort", Kind: Lines, Group: "HTTPTunnelPortLines", Effect: Refused, Help: "where HTTP CONNECT requests are taken"},
	{Name: "__HTTPTunnelPort", Kind: Lines, Group: "HTTPTunnelPortLines", Effect: Refused, Help: "an HTTPTunnelPort that SAVECONF leaves out"},
	{Name: "MetricsPort", Kind: Lines, Group: "MetricsPortLines", Effect: Refused, Help: "where Prometheus fetches numbers"},
	{Name: "__MetricsPort", Kind: Lines, Group: "MetricsPortLines", Effect: Refused, Help: "a MetricsPort that SAVECONF leaves out"},
	{Name: "MetricsPortPolicy", Kind: Lines, Help: "who may fetch numbers"},
	{Name: "ControlPort", Kind: Lines, Group: "ControlPortLines", Effect: Refused, Help: "where controllers connect"},
	{Name: "__ControlPort", Kind: Lines, Group: "ControlPortLines", Effect: Refused, Help: "a ControlPort that SAVECONF leaves out"},
	{Name: "ControlSocket", Kind: Lines, Effect: Refused, Help: "Unix socket where controllers connect"},
	{Name: "ControlSocketsGroupWritable", Kind: Bool, Default: "0", Help: "let the group use ControlSocket"},
	{Name: "ControlPortWriteToFile", Kind: Filename, Help: "file that names the control ports"},
	{Name: "ControlPortFileGroupReadable", Kind: Bool, Default: "0", Help: "let the group read ControlPortWriteToFile"},
	{Name: "HashedControlPassword", Kind: Lines, Help: "a password that controllers may use"},
	{Name: "__HashedControlSessionPassword", Kind: Lines, Help: "a HashedControlPassword that SAVECONF leaves out"},
	{Name: "CookieAuthentication", Kind: Bool, Default: "0", Help: "controllers may prove themselves by a file"},
	{Name: "CookieAuthFile", Kind: Filename, Help: "where the file for CookieAuthentication is"},
	{Name: "CookieAuthFileGroupReadable", Kind: Bool, Default: "0", Help: "let the group read CookieAuthFile"},
}
