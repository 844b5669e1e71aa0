module carriers

go 1.26.0

require (
	github.com/cilium/ebpf v0.22.0
	github.com/seccomp/libseccomp-golang v0.11.1
	github.com/urfave/cli/v3 v3.14.0
	golang.org/x/sys v0.49.0
)
