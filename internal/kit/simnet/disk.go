package simnet

import (
	"sync"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// A disk is what a process of a node sees of its files. After a crash nothing that the dying process still does gets there.
type disk struct {
	files *statefile.Mem

	mu   sync.RWMutex // held for reading during a change; guards dead
	dead bool
}

var _ statefile.Store = (*disk)(nil)

// kill makes all later changes get lost.
func (d *disk) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func (d *disk) change(f func() error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.dead {
		return nil
	}
	return f()
}

func (d *disk) Read(name string) ([]byte, error)        { return d.files.Read(name) }
func (d *disk) Map(name string) ([]byte, func(), error) { return d.files.Map(name) }

func (d *disk) WriteWhole(name string, data []byte) error {
	return d.change(func() error { return d.files.WriteWhole(name, data) })
}

func (d *disk) Append(name string, data []byte) error {
	return d.change(func() error { return d.files.Append(name, data) })
}

func (d *disk) Remove(name string) error {
	return d.change(func() error { return d.files.Remove(name) })
}
