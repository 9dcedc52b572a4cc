package consul

import (
	"encoding/hex"
	"errors"
	"path"
	"strings"
)

// clusterPrefix gives what all keys of a cluster begin with. The words are escaped, so that the keys of no cluster lie
// under those of another, and every key is the path of a request.
func clusterPrefix(prefix, cluster string) string {
	var words []string
	for word := range strings.SplitSeq(path.Clean(prefix), "/") {
		if word != "" && word != "." {
			words = append(words, escape(word))
		}
	}
	return strings.Join(append(words, escape(cluster)), "/") + "/"
}

// dashed is a name made of the same words as the keys.
func dashed(prefix, cluster string) string {
	return strings.ReplaceAll(strings.TrimSuffix(clusterPrefix(prefix, cluster), "/"), "/", "-")
}

// escape makes one segment of a key of a word: letters, digits, dots, dashes, underscores and tildes stay, of all else
// each byte is written as in a=2Fb. The percent sign that is usual there Consul itself takes for an escape, and refuses
// keys for what it finds behind it.
func escape(word string) string {
	const digits = "0123456789ABCDEF"
	var text strings.Builder
	for _, b := range []byte(word) {
		plain := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-_~", b) >= 0
		if plain || b == '.' && word != "." && word != ".." { // which are folders of a path
			text.WriteByte(b)
			continue
		}
		text.Write([]byte{'=', digits[b>>4], digits[b&15]})
	}
	return text.String()
}

var errNotEscaped = errors.New("it is not escaped")

// unescape is the way back.
func unescape(segment string) (string, error) {
	first, rest, _ := strings.Cut(segment, "=")
	word := []byte(first)
	for i, part := range strings.Split(rest, "=") {
		if i == 0 && len(first) == len(segment) {
			break // there is nothing to do
		}
		if len(part) < 2 {
			return "", errNotEscaped
		}
		b, err := hex.DecodeString(part[:2])
		if err != nil {
			return "", errNotEscaped
		}
		word = append(append(word, b...), part[2:]...)
	}
	if escape(string(word)) != segment {
		return "", errNotEscaped
	}
	return string(word), nil
}
