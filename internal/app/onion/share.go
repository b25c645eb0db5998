package onion

import (
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Share is a web server's handler that gives away files, and tells little else: no times of files, no clock, no names that begin
// with a dot. It takes requests to read alone. If only is not "", there is nothing but that file.
func Share(files fs.FS, only string) http.Handler {
	server := http.FileServerFS(shared{files})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Date"] = nil // how wrong our clock is might tell who we are
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		case only == "":
			server.ServeHTTP(w, r)
		case r.URL.Path == "/":
			h.Set("Location", (&url.URL{Path: "/" + only}).EscapedPath())
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/"+only:
			http.ServeFileFS(w, r, shared{files}, only)
		default:
			http.NotFound(w, r)
		}
	})
}

// shared is a file system without hidden files and times.
type shared struct{ fs.FS }

func (s shared) Open(name string) (fs.File, error) {
	for elem := range strings.SplitSeq(name, "/") {
		if hidden(elem) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
	}
	info, err := fs.Stat(s.FS, name) // first: opening a pipe would wait
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return sharedDir{sharedFile{f}}, nil
	}
	return sharedFile{f}, nil
}

// hidden tells whether a name begins with a dot; "." itself is the whole.
func hidden(elem string) bool { return strings.HasPrefix(elem, ".") && elem != "." }

type sharedFile struct{ fs.File }

func (f sharedFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return timeless{info}, err
}

// Seek lets clients resume a download.
func (f sharedFile) Seek(offset int64, whence int) (int64, error) {
	s, ok := f.File.(io.Seeker)
	if !ok {
		return 0, fs.ErrInvalid
	}
	return s.Seek(offset, whence)
}

type sharedDir struct{ sharedFile }

// ReadDir lists what is not hidden, and neither link nor device.
func (d sharedDir) ReadDir(n int) (list []fs.DirEntry, err error) {
	r, ok := d.File.(fs.ReadDirFile)
	if !ok {
		return nil, fs.ErrInvalid
	}
	all, err := r.ReadDir(n)
	for _, e := range all {
		if !hidden(e.Name()) && (e.IsDir() || e.Type().IsRegular()) {
			list = append(list, e)
		}
	}
	return list, err
}

// timeless hides when a file was changed.
type timeless struct{ fs.FileInfo }

func (timeless) ModTime() time.Time { return time.Time{} }
