package consensus

// An Interner lets equal texts and equal pr lines share memory, for one document or several.
type Interner struct {
	texts  map[string]string
	protos map[string]*Protos
}

// NewInterner makes an empty one.
func NewInterner() Interner { return Interner{map[string]string{}, map[string]*Protos{}} }

// Text returns a copy of b.
func (in Interner) Text(b []byte) string {
	s, ok := in.texts[string(b)]
	if !ok {
		s = string(b)
		in.texts[s] = s
	}
	return s
}

// Protos returns the meaning of a pr line.
func (in Interner) Protos(text []byte) (*Protos, error) {
	if v := in.protos[string(text)]; v != nil {
		return v, nil
	}
	v, err := NewProtos(string(text))
	if err == nil {
		in.protos[v.Text] = v
	}
	return v, err
}
