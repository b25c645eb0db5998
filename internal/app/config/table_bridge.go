package config

// bridgeClientOptions are about bridges and proxies, which a client goes through to reach the network.
var bridgeClientOptions = []Option{
	{Name: "UseBridges", Kind: Bool, Default: "0", Effect: Refused, Help: "enter the network by the bridges of Bridge lines only"},
	{Name: "Bridge", Kind: Lines, Effect: Refused, Help: "a bridge: [transport] address:port [fingerprint] [key=value ...]"},
	{Name: "ClientTransportPlugin", Kind: Lines, Effect: Refused, Help: "program that disguises links to bridges"},
	{Name: "UpdateBridgesFromAuthority", Kind: Bool, Default: "0", Help: "ask the bridge authority for fresh bridge descriptors"},
	{Name: "ReconfigDropsBridgeDescs", Kind: Bool, Default: "0", Help: "forget bridge descriptors when the configuration changes"},
	{Name: "HTTPProxy", Kind: String, Effect: Refused, Help: "fetch documents from authorities through this HTTP proxy"},
	{Name: "HTTPProxyAuthenticator", Kind: String, Effect: Refused, Help: "user:password for HTTPProxy"},
	{Name: "HTTPSProxy", Kind: String, Effect: Refused, Help: "connect through this HTTP CONNECT proxy"},
	{Name: "HTTPSProxyAuthenticator", Kind: String, Effect: Refused, Help: "user:password for HTTPSProxy"},
	{Name: "Socks4Proxy", Kind: String, Effect: Refused, Help: "connect through this SOCKS 4 proxy"},
	{Name: "Socks5Proxy", Kind: String, Effect: Refused, Help: "connect through this SOCKS 5 proxy"},
	{Name: "Socks5ProxyUsername", Kind: String, Effect: Refused, Help: "user for Socks5Proxy"},
	{Name: "Socks5ProxyPassword", Kind: String, Effect: Refused, Help: "password for Socks5Proxy"},
	{Name: "TCPProxy", Kind: String, Effect: Refused, Help: "connect through this HAProxy"},
}
