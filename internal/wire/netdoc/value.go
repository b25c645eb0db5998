package netdoc

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// ParseTime reads a date and a time of day, 2006-01-02 and 15:04:05, as UTC.
// Years are 1970 to 9999; a leap second is no time for us, since it cannot be written back.
func ParseTime(date, clock []byte) (time.Time, error) {
	if len(date) != 10 || date[4] != '-' || date[7] != '-' || len(clock) != 8 || clock[2] != ':' || clock[5] != ':' {
		return time.Time{}, fmt.Errorf("time: %w", ErrBadValue)
	}
	century, year, month, day := two(date), two(date[2:]), two(date[5:]), two(date[8:])
	hour, minute, second := two(clock), two(clock[3:]), two(clock[6:])
	year += 100 * century
	if century|year|month|day|hour|minute|second < 0 || year < 1970 || month < 1 || month > 12 || day < 1 ||
		day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, fmt.Errorf("time: %w", ErrBadValue)
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), nil
}

// two reads two decimal digits; it returns a negative number with a large magnitude for anything else.
func two(b []byte) int {
	tens, ones := b[0]-'0', b[1]-'0'
	if tens > 9 || ones > 9 {
		return -1 << 20
	}
	return int(tens)*10 + int(ones)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// ParseUint reads a decimal number of digits alone, at most limit.
func ParseUint(b []byte, limit uint64) (uint64, error) {
	var n uint64
	for _, c := range b {
		d := uint64(c - '0') // above 9 for what is no digit
		if d > 9 || d > limit || n > (limit-d)/10 {
			return 0, fmt.Errorf("number: %w", ErrBadValue)
		}
		n = 10*n + d
	}
	if len(b) == 0 {
		return 0, fmt.Errorf("number: %w", ErrMissing)
	}
	return n, nil
}

// ParsePort reads a port, 0 to 65535.
func ParsePort(b []byte) (uint16, error) {
	n, err := ParseUint(b, 65535)
	return uint16(n), err
}

// ParseHex fills dst from exactly 2*len(dst) hexadecimal digits of either case.
func ParseHex(dst, text []byte) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("hex of %d bytes: %w", len(dst), ErrBadValue)
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fmt.Errorf("hex of %d bytes: %w", len(dst), ErrBadValue)
	}
	return nil
}

// ParseBase64 fills dst from base64 with or without padding; the text must be of exactly len(dst) bytes.
// Bits that belong to no byte must be zero, so that a value has one form.
func ParseBase64(dst, text []byte) error {
	n := base64.RawStdEncoding.EncodedLen(len(dst))
	if len(text) < n || len(text) > n && string(text[n:]) != padding(n) {
		return fmt.Errorf("base64 of %d bytes: %w", len(dst), ErrBadValue)
	}
	if !decodeBase64(dst, text[:n]) {
		return fmt.Errorf("base64 of %d bytes: %w", len(dst), ErrBadValue)
	}
	return nil
}

// padding is what fills n characters up to a multiple of four.
func padding(n int) string { return "==="[:-n&3] }

// sextet gives the value of a base64 character, 0xff for any other byte.
var sextet = func() (t [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range t {
		t[i] = 0xff
	}
	for i := range alphabet {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// decodeBase64 decodes text, unpadded and of the length that belongs to dst. It is three times as fast as package
// base64 on digests, of which a consensus has tens of thousands.
func decodeBase64(dst, text []byte) bool {
	for ; len(dst) >= 3 && len(text) >= 4; dst, text = dst[3:], text[4:] {
		a, b, c, d := sextet[text[0]], sextet[text[1]], sextet[text[2]], sextet[text[3]]
		if a|b|c|d == 0xff {
			return false
		}
		v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
		dst[0], dst[1], dst[2] = byte(v>>16), byte(v>>8), byte(v)
	}
	switch len(dst) {
	case 1:
		a, b := sextet[text[0]], sextet[text[1]]
		dst[0] = a<<2 | b>>4
		return a|b != 0xff && b&0xf == 0
	case 2:
		a, b, c := sextet[text[0]], sextet[text[1]], sextet[text[2]]
		dst[0], dst[1] = a<<2|b>>4, b<<4|c>>2
		return a|b|c != 0xff && c&3 == 0
	}
	return true
}
