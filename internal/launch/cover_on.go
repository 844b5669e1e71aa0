//go:build tarecover

package launch

import "os"

// coverEnv tells the init stage of a coverage build where its counters go.
func coverEnv() []string {
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		return []string{"GOCOVERDIR=" + dir}
	}
	return nil
}
