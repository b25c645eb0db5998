package config

// ownPart is the part of the options that C tor does not have. Files are written without them unless they are set, so that C tor
// can read them.
const ownPart = "Tropea"

var ownOptions = []Option{
	{Name: "VanguardsFull", Kind: Bool, Default: "0", Effect: Built, Help: "keep the second and third hops to onion services, over restarts"},
}
