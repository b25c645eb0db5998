package socks

// httpPage is for people whose browser takes the SOCKS port for an HTTP proxy. The status line is C tor's, which network
// scanners and scripts look for.
// https://spec.torproject.org/socks-extensions.html#http-resistance
const httpPage = "HTTP/1.0 501 Tor is not an HTTP Proxy\r\n" +
	"Content-Type: text/html; charset=utf-8\r\n" +
	"Connection: close\r\n" +
	"\r\n" +
	`<!DOCTYPE html>
<html lang="en">
<head><title>This is a SOCKS proxy</title></head>
<body>
<h1>This is a SOCKS proxy</h1>
<p>Your browser spoke HTTP to a port on which Tor expects SOCKS.</p>
<p>In the proxy settings of your browser, enter this address and port as the SOCKS host (version 5), let the proxy look up
names, and leave the fields for HTTP proxies empty. If a program has to use an HTTP proxy, set up an
<code>HTTPTunnelPort</code>, and enter that.</p>
</body>
</html>
`
