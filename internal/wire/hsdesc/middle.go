package hsdesc

import (
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// AuthClientMultiple is what the number of AuthClients of a Middle is a multiple of, so that it tells little. It is not zero.
const AuthClientMultiple = 16

// Middle is the text of the superencrypted layer.
type Middle struct {
	EphemeralKey [32]byte // X25519: with it, clients recognise their entries
	Clients      []AuthClient
	Encrypted    []byte // the next layer: salt, ciphertext and MAC
}

// AuthClient is what a client needs to read the next layer, or nobody, for those that are there to hide the number.
type AuthClient struct {
	ID     [8]byte
	IV     [16]byte
	Cookie [16]byte // encrypted
}

// Positions in middleSchema.
const (
	itemAuthType = iota
	itemAuthKey
	itemAuthClient
	itemEncrypted
)

const (
	kwAuthType   = "desc-auth-type"
	kwAuthKey    = "desc-auth-ephemeral-key"
	kwAuthClient = "auth-client"
	kwEncrypted  = "encrypted"

	authTypeX25519 = "x25519"
)

// middleSchema is as in C tor (hs_desc_superencrypted_v3_token_table).
var middleSchema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwAuthType, Min: 1, Max: 1, MinArgs: 1, Place: netdoc.First},
	netdoc.Rule{Keyword: kwAuthKey, Min: 1, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: kwAuthClient, Min: 1, Max: netdoc.Any, MinArgs: 3},
	netdoc.Rule{Keyword: kwEncrypted, Min: 1, Max: 1, Object: netdoc.NeedObject},
)

// ParseMiddle parses the text of the superencrypted layer, without padding. Nothing in the result aliases text.
//
// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html#first-layer-plaintext
func ParseMiddle(text []byte) (*Middle, error) {
	m := &Middle{}
	s := netdoc.NewScanner(withNewline(text), netdoc.Options{})
	check := middleSchema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = m.item(rule, it)
		}
		if err != nil {
			return nil, fmt.Errorf("superencrypted layer: %w", it.Wrap(err))
		}
	}
	err := s.Err()
	if err == nil {
		err = check.End()
	}
	if err != nil {
		return nil, fmt.Errorf("superencrypted layer: %w", err)
	}
	return m, nil
}

func (m *Middle) item(rule int, it *netdoc.Item) (err error) {
	args := it.Args
	switch rule {
	case itemAuthType:
		if string(args.Next()) != authTypeX25519 {
			return ErrAuthType
		}
	case itemAuthKey:
		return netdoc.ParseBase64(m.EphemeralKey[:], args.Next())
	case itemAuthClient:
		var c AuthClient
		for _, field := range [][]byte{c.ID[:], c.IV[:], c.Cookie[:]} {
			if err := netdoc.ParseBase64(field, args.Next()); err != nil {
				return err
			}
		}
		m.Clients = append(m.Clients, c)
	case itemEncrypted:
		m.Encrypted, err = parseMessage(it)
	}
	return err
}

// AppendTo appends the text, which has no newline at its end, as in C tor.
func (m *Middle) AppendTo(dst []byte) ([]byte, error) {
	switch {
	case len(m.Clients) == 0:
		return nil, fmt.Errorf("%s: %w", kwAuthClient, netdoc.ErrMissing)
	case len(m.Encrypted) < minEncrypted:
		return nil, ErrTooShort
	}
	e := netdoc.NewEncoder(dst)
	e.Item(kwAuthType, authTypeX25519)
	e.Item(kwAuthKey).PaddedBase64(m.EphemeralKey[:])
	for _, c := range m.Clients {
		e.Item(kwAuthClient).Base64(c.ID[:]).Base64(c.IV[:]).Base64(c.Cookie[:])
	}
	e.Item(kwEncrypted).Object(tagMessage, m.Encrypted)
	text, err := e.Bytes()
	if err != nil {
		return nil, err
	}
	return text[:len(text)-1], nil
}

// withNewline adds the newline that the last line lacks: C tor reads such a line as well.
func withNewline(text []byte) []byte {
	if n := len(text); n > 0 && text[n-1] != '\n' {
		return append(text[:n:n], '\n')
	}
	return text
}
