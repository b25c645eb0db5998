package netdoc

import "fmt"

// A Rule says how an item may appear in a document.
type Rule struct {
	Keyword string
	Min     int // how often at least
	Max     int // and at most; 0 means any number
	MinArgs int
	MaxArgs int // 0 means any number; the specification wants later arguments tolerated
	Object  ObjectRule
	Place   Place
}

// Any is a Max without bound, for readers of rules.
const Any = 0

// ObjectRule says whether an item has an object.
type ObjectRule uint8

// The rules for objects. The zero value refuses one.
const (
	NoObject ObjectRule = iota
	NeedObject
	MayObject
)

// Place says where in a document an item must be.
type Place uint8

// The places of an item. First and Last are the first and last of the items that are no annotations, unknown ones included.
const (
	Anywhere Place = iota
	First
	Last
)

// maxRules bounds a Schema, so that a Checker has a fixed size.
const maxRules = 64

// A Schema is the list of items that a kind of document knows. Items that it does not know are allowed everywhere.
type Schema struct {
	rules    []Rule
	index    map[string]int
	hasFirst bool // some rule has the place First
}

// NewSchema makes a schema. Checker.Item returns positions in rules, so callers write them as a slice with named indices.
// It panics on a keyword that comes twice: schemas are package variables.
func NewSchema(rules ...Rule) *Schema {
	s := &Schema{rules: rules, index: make(map[string]int, len(rules))}
	for i, r := range rules {
		if _, dup := s.index[r.Keyword]; dup || i >= maxRules {
			panic("netdoc: bad schema at " + r.Keyword)
		}
		s.index[r.Keyword] = i
		s.hasFirst = s.hasFirst || r.Place == First
	}
	return s
}

// Unknown is what Checker.Item returns for an item that the schema does not know.
const Unknown = -1

// A Checker follows one document through its schema. It allocates nothing but errors.
type Checker struct {
	schema *Schema
	seen   [maxRules]int
	items  int
	ended  bool // the item of place Last has been seen
}

// NewChecker starts a document.
func (s *Schema) NewChecker() Checker { return Checker{schema: s} }

// Item takes the next item of the document and returns the position of its rule, or Unknown.
// The error says what the item breaks, with its line.
func (c *Checker) Item(it *Item) (rule int, err error) {
	if c.ended {
		return Unknown, it.Wrap(ErrMisplaced) // something follows the last item
	}
	rule, known := c.schema.index[string(it.Keyword)]
	if it.Keyword[0] != '@' {
		c.items++
	}
	if !known {
		if c.items == 1 && c.schema.hasFirst {
			return Unknown, it.Wrap(ErrMisplaced)
		}
		return Unknown, nil
	}
	r := &c.schema.rules[rule]
	c.seen[rule]++
	return rule, it.Wrap(c.check(r, c.seen[rule], it))
}

func (c *Checker) check(r *Rule, seen int, it *Item) error {
	c.ended = r.Place == Last
	switch {
	case r.Max > 0 && seen > r.Max:
		return ErrTooMany
	case (r.Place == First) != (c.items == 1) && (r.Place == First || c.schema.hasFirst):
		return ErrMisplaced
	case r.Object == NoObject && it.Object.Tag != nil:
		return fmt.Errorf("object: %w", ErrMisplaced)
	case r.Object == NeedObject && it.Object.Tag == nil:
		return fmt.Errorf("object: %w", ErrMissing)
	case r.MinArgs > 0 && it.Args.Len() < r.MinArgs:
		return fmt.Errorf("arguments: %w", ErrMissing)
	case r.MaxArgs > 0 && it.Args.Len() > r.MaxArgs:
		return fmt.Errorf("arguments: %w", ErrTooMany)
	}
	return nil
}

// Seen is how often the item of this rule has come so far.
func (c *Checker) Seen(rule int) int { return c.seen[rule] }

// End tells what is missing at the end of the document.
func (c *Checker) End() error {
	for i := range c.schema.rules {
		r := &c.schema.rules[i]
		if c.seen[i] < r.Min {
			return &Error{Keyword: r.Keyword, Err: ErrMissing}
		}
		if r.Place == Last && !c.ended {
			return &Error{Keyword: r.Keyword, Err: ErrMisplaced}
		}
	}
	return nil
}
