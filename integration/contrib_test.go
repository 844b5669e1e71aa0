package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The files of contrib are what their engines read: TOML and JSON, with the binary where `make install` puts
// it, under the keys that the engines' manuals name.
func TestContribFilesNameTheInstalledBinary(t *testing.T) {
	needTool(t, "python3")
	if exec.Command("python3", "-c", "import tomllib").Run() != nil {
		skip(t, "python3 has no tomllib")
	}
	dir := filepath.Join(testdata, "../../contrib")
	if !exists(dir) {
		skip(t, "no sources here")
	}
	const get = `import sys, json, tomllib
f, *path = sys.argv[1:]
v = json.load(open(f)) if f.endswith(".json") else tomllib.load(open(f, "rb"))
for k in path: v = v[k]
print(v[0] if isinstance(v, list) else v)`
	const binary = "/usr/local/sbin/tare"
	for file, keys := range map[string]string{
		"cri-o/10-tare.conf":       "crio runtime runtimes tare runtime_path",
		"docker/daemon.json":       "runtimes tare path",
		"podman/tare.conf":         "engine runtimes tare",
		"containerd/tare.toml":     "plugins io.containerd.cri.v1.runtime containerd runtimes tare options BinaryName",
		"containerd/tare-1.7.toml": "plugins io.containerd.grpc.v1.cri containerd runtimes tare options BinaryName",
	} {
		out, err := exec.Command("python3", append([]string{"-c", get, filepath.Join(dir, file)}, strings.Fields(keys)...)...).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != binary {
			t.Errorf("%s: %s: %v %s", file, keys, err, out)
		}
	}
	for keys, want := range map[string]string{"crio runtime default_runtime": "tare", "crio runtime runtimes tare runtime_type": "oci",
		"crio runtime runtimes tare runtime_root": "/run/tare"} {
		out, _ := exec.Command("python3", append([]string{"-c", get, filepath.Join(dir, "cri-o/10-tare.conf")}, strings.Fields(keys)...)...).CombinedOutput()
		if strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %s", keys, out)
		}
	}
}
