//go:build !tarecover

package launch

func coverEnv() []string { return nil }
