package initstage

import "strconv"

// homeOf finds the home directory of uid in the text of a passwd file; "/" without an entry or with an
// empty one. Lines that are not well formed are passed over.
func homeOf(passwd []byte, uid uint64) string {
	for len(passwd) > 0 {
		end := 0
		for end < len(passwd) && passwd[end] != '\n' {
			end++
		}
		line := passwd[:end]
		passwd = passwd[min(end+1, len(passwd)):]
		field, start := 0, 0
		match, home := false, ""
		for i := 0; i <= len(line); i++ {
			if i < len(line) && line[i] != ':' {
				continue
			}
			switch text := string(line[start:i]); field {
			case 2:
				n, err := strconv.ParseUint(text, 10, 32)
				match = err == nil && n == uid
			case 5:
				home = text
			}
			field, start = field+1, i+1
		}
		if match && field == 7 {
			if home == "" || home[0] != '/' || !clean(home) {
				return "/"
			}
			return home
		}
	}
	return "/"
}

// clean tells whether s has no byte that an environment variable cannot hold.
func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			return false
		}
	}
	return true
}
