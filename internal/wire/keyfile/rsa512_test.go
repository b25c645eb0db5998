package keyfile

// rsa512 is what OpenSSL made; crypto/rsa makes no such keys any more.
const rsa512 = `-----BEGIN RSA PRIVATE KEY-----
MIIBOwIBAAJBAMxMR1ETw+MuoCbclzTqTBJA9cwoXcR0LmrbZVOtF7l92otWw5a/
eqgYJvxqtJB01RygDvVaL3EZ4Mi3pv0ntkECAwEAAQJBAKpkJEcW+RYN2T0QVnyn
vXKsA1WXhT1IuT4eZlB32YW2V1uN78KgIq/WOPzQkmJgAybwnhp4W59xBQ9TULyW
/BECIQD3ZPmZHyj3SQ3GQnWiaIFBwUYfr7v2VoEv1rfHo9xVzwIhANNniI6ZAob3
4w0jzAwXV4h1ZIO0pJUzfaynUvUZc0bvAiEA1pFsbiL5e+iPmtn/fvnWybog4NCh
XJlQeLZpNSzoqD8CIEswPpxhBUoVrjaFLdR7FNHe1tIVFJhQSPl4RYQQ+jQXAiBM
SfkiudVJW1kflbybxb8GRFqbP62UTz8olsBkzp8aaA==
-----END RSA PRIVATE KEY-----`
