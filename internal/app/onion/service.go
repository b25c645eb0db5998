package onion

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// Bounds on what is read.
const (
	maxFile    = 64 << 10 // bytes
	maxClients = 4096     // a descriptor has room for fewer
	maxName    = 64       // characters of a client's name that we give
)

// Errors of this package, beside those of keyfile and sshkey.
var (
	ErrExists   = errors.New("already exists")
	ErrName     = errors.New("not a name for a client")
	ErrClients  = errors.New("too many authorized clients")
	ErrNoKey    = errors.New("no key of an onion service")
	ErrNoClient = errors.New("no such client")
	ErrPublic   = errors.New("without this client the service would be open to everybody")
)

// A Service is what a key directory says.
type Service struct {
	Key     *keyfile.EdSecret
	Clients []Client // in order of their names; if there are none, everybody may use the service
	balance []byte   // ob_config as it is; nil if there is none
}

// A Client is one that may use a service.
type Client struct {
	Name string   // of the file, without its ending
	Key  [32]byte // X25519
}

// New makes a service with a new key.
func New() *Service { return &Service{Key: keyfile.GenerateEd()} }

// Address returns the address. All ways to make a Service have checked that there is one.
func (s *Service) Address() onionaddr.Address { return s.Key.ID() }

// check refuses a key that is no address, of which C tor would say nothing.
func (s *Service) check() error {
	if s.Key == nil {
		return ErrNoKey
	}
	_, err := onionaddr.FromKey(s.Key.ID())
	return err
}

// file is a file of a service, by its path within the directory.
type file struct {
	name string
	data []byte
}

// files returns the files of the service. They hold secrets; whoever asks may wipe them.
func (s *Service) files() (files []file, err error) {
	add := func(name string, data []byte, err2 error) {
		files = append(files, file{name, data})
		err = errors.Join(err, err2)
	}
	secret, err2 := s.Key.AppendTo(nil, keyfile.TagMaster)
	add(keyfile.ServiceSecretFile, secret, err2)
	public, err2 := keyfile.AppendEdPublic(nil, keyfile.TagMaster, s.Key.ID())
	add(keyfile.ServicePublicFile, public, err2)
	host, err2 := keyfile.AppendHostname(nil, s.Address())
	add(keyfile.ServiceHostnameFile, host, err2)
	for _, c := range s.Clients {
		auth, err2 := keyfile.AppendAuthorizedClient(nil, c.Key)
		add(clientFile(c.Name), auth, err2)
	}
	if s.balance != nil {
		add(keyfile.ServiceOnionBalancing, bytes.Clone(s.balance), nil)
	}
	return files, err
}

// add takes one file into a service that is being read. It reports false if the file is none of a service.
func (s *Service) add(f file) (known bool, err error) {
	switch f.name {
	case keyfile.ServiceSecretFile:
		s.Key, err = keyfile.ParseEdSecret(f.data, keyfile.TagMaster)
	case keyfile.ServicePublicFile, keyfile.ServiceHostnameFile: // for agrees, once the key is there
	case keyfile.ServiceOnionBalancing:
		s.balance = bytes.Clone(f.data)
	default:
		name, ok := clientName(f.name)
		if !ok {
			return false, nil
		}
		if err := statefile.CheckName(f.name); err != nil {
			return true, fmt.Errorf("%w; give the file another name", err)
		}
		c := Client{Name: name}
		if c.Key, err = keyfile.ParseAuthorizedClient(f.data); err == nil {
			s.Clients = append(s.Clients, c)
			slices.SortFunc(s.Clients, func(a, b Client) int { return cmp.Compare(a.Name, b.Name) })
		}
		if len(s.Clients) > maxClients {
			err = ErrClients
		}
	}
	return true, err
}

// agrees checks a file that follows from the key.
func (s *Service) agrees(f file) error {
	switch f.name {
	case keyfile.ServicePublicFile:
		pub, err := keyfile.ParseEdPublic(f.data, keyfile.TagMaster)
		if err == nil && pub != s.Key.ID() {
			err = keyfile.ErrMismatch
		}
		return err
	case keyfile.ServiceHostnameFile:
		addr, err := keyfile.ParseHostname(f.data)
		if err == nil && addr != s.Address() {
			err = fmt.Errorf("it says %s, but the key's address is %s", addr, s.Address())
		}
		return err
	}
	return nil
}

func clientFile(name string) string {
	return keyfile.ServiceClientsDir + "/" + name + keyfile.AuthorizedClientSuffix
}

// clientName returns whose key is in a file, if it is one of a client.
func clientName(file string) (name string, ok bool) {
	name, ok = strings.CutPrefix(file, keyfile.ServiceClientsDir+"/")
	if ok {
		name, ok = strings.CutSuffix(name, keyfile.AuthorizedClientSuffix)
	}
	return name, ok && name != "" && !strings.Contains(name, "/")
}

// CheckName tells whether a client may be given a name: it becomes a file's.
func CheckName(name string) error {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}
	if name == "" || len(name) > maxName || name[0] == '.' || name[0] == '-' || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("%q: %w: it takes letters, digits, and - _ . but not at its beginning, at most %d", name, ErrName, maxName)
	}
	return nil
}
