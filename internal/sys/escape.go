package sys

// Unescape undoes the octal escapes of mount tables (proc_pid_mounts(5)): \040 for a blank.
func Unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			v, ok := 0, true
			for _, c := range []byte(s[i+1 : i+4]) {
				v, ok = v<<3|int(c-'0'), ok && c >= '0' && c <= '7'
			}
			if ok && v < 256 {
				b = append(b, byte(v))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
