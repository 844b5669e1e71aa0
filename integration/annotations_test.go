package integration

import (
	"encoding/base64"
	"path/filepath"
	"testing"
)

func TestSeccompReceiverAnnotation(t *testing.T) {
	onlyTare(t, "run.oci.seccomp.receiver, as crun has it")
	b := newBundle(t, args("/bin/sleep", "1000"))
	if st, n := b.notified(func(path string) { b.edit(annotate("run.oci.seccomp.receiver", path)) }); n != 1 || st.State.ID != b.id {
		t.Errorf("%d descriptors, %+v", n, st)
	}
}

func TestSeccompRawFilterAnnotation(t *testing.T) {
	onlyTare(t, "run.oci.seccomp_bpf_data, as crun has it")
	ret := func(action uint32) string {
		return base64.StdEncoding.EncodeToString([]byte{0x06, 0, 0, 0, byte(action), byte(action >> 8), byte(action >> 16), byte(action >> 24)})
	}
	b := newBundle(t, seccompErrno("mkdir", "mkdirat"), annotate("run.oci.seccomp_bpf_data", ret(0x7fff0000)))
	b.mayLeave("tmp/a")
	if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "" {
		t.Errorf("the rules hold beside the filter: %v", r)
	}
	b.edit(annotate("run.oci.seccomp_bpf_data", "AAA="))
	b.run().fails(t, "run.oci.seccomp_bpf_data")
	b.wantGone()
}

func TestSeccompFailUnknownAnnotation(t *testing.T) {
	onlyTare(t, "run.oci.seccomp_fail_unknown_syscall, as crun has it")
	b := newBundle(t, seccompErrno("no_such_call"), args("/bin/true"), annotate("run.oci.seccomp_fail_unknown_syscall", "0"))
	b.run().ok(t)
	b.edit(annotate("run.oci.seccomp_fail_unknown_syscall", "1"))
	b.run().fails(t, "linux.seccomp.syscalls[0].names[0]", "no_such_call")
	b.wantGone()
}

func TestHandlerAnnotationsAreRefused(t *testing.T) {
	onlyTare(t, "it has no handlers")
	for _, key := range []string{"run.oci.handler", "krun.cpus", "module.wasm.image/variant"} {
		t.Run(filepath.Base(key), func(t *testing.T) {
			b := newBundle(t, args("/bin/true"), annotate(key, "1"))
			b.run().fails(t, "annotations", key)
			b.wantGone()
		})
	}
}

func TestSeccompPluginsAreRefused(t *testing.T) {
	onlyTare(t, "it loads none")
	b := newBundle(t, args("/bin/true"), annotate("run.oci.seccomp.plugins", "/agent.so"))
	b.run().fails(t, `annotations["run.oci.seccomp.plugins"]`, "run.oci.seccomp.receiver")
	b.wantGone()
}
