package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestBindShowsTheHostDirectory(t *testing.T) {
	b := newBundle(t, sh("cat /mnt/f && echo inner > /mnt/g"))
	src := b.hostDir("src")
	writeFile(t, src+"/f", "outer")
	b.edit(addMount(mnt("/mnt", "bind", src, "bind")))
	if out := b.run().ok(t).out; out != "outer" {
		t.Errorf("%q", out)
	}
	if got := readFile(t, src+"/g"); got != "inner\n" {
		t.Errorf("%q", got)
	}
}

func TestBindOfAFileOntoAMissingFileMakesIt(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/new/file"))
	b.mayLeave("new")
	b.edit(addMount(mnt("/new/file", "bind", b.hostFile("f", "text"), "bind")))
	if out := b.run().ok(t).out; out != "text" {
		t.Errorf("%q", out)
	}
	if info, err := os.Stat(b.inRoot("new/file")); err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
		t.Errorf("%v %v", info, err)
	}
}

func TestBindOfASocketWorks(t *testing.T) {
	b := newBundle(t, prog("stat", "/mnt/sock"))
	path := filepath.Join(b.dir, "sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	defer syscall.Close(fd)
	check(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	b.edit(addMount(mnt("/mnt/sock", "bind", path, "bind")))
	b.mayLeave("mnt/sock")
	if out := b.run().ok(t).out; !strings.Contains(out, `"Type":"sock"`) {
		t.Errorf("%q", out)
	}
}

func TestBindOptionDecidesWhateverTheType(t *testing.T) {
	for _, typ := range []string{"", "none", "tmpfs", "bind"} {
		t.Run("["+typ+"]", func(t *testing.T) {
			b := newBundle(t, args("/bin/cat", "/mnt/f"))
			src := b.hostDir("src")
			writeFile(t, src+"/f", "bound")
			b.edit(addMount(mnt("/mnt", typ, src, "bind")))
			if out := b.run().ok(t).out; out != "bound" {
				t.Errorf("%q", out)
			}
		})
	}
}

func TestBindSourceIsRelativeToTheBundle(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/mnt/f"), addMount(mnt("/mnt", "bind", "inbundle", "bind")))
	mkdirs(t, b.path+"/inbundle")
	writeFile(t, b.path+"/inbundle/f", "rel")
	if out := b.run().ok(t).out; out != "rel" {
		t.Errorf("%q", out)
	}
}

func TestBindSourceMissingFails(t *testing.T) {
	b := newBundle(t, addMount(mnt("/mnt", "bind", "/no/such/source", "bind")))
	b.run().fails(t, "no such file or directory")
	b.wantGone()
}

func TestBindOfADirectoryOntoAFileFails(t *testing.T) {
	b := newBundle(t)
	b.edit(addMount(mnt("/etc/passwd", "bind", b.hostDir("src"), "bind")))
	b.run().fails(t, "not a directory")
	b.wantGone()
}

func TestBindOfAFileOntoADirectoryFails(t *testing.T) {
	b := newBundle(t)
	b.edit(addMount(mnt("/etc", "bind", b.hostFile("src", ""), "bind")))
	b.run().fails(t, "not a directory")
	b.wantGone()
}

func TestBindReadonly(t *testing.T) {
	b := newBundle(t)
	src := b.hostDir("src")
	b.edit(addMount(mnt("/mnt", "bind", src, "bind", "ro")))
	if r := b.try("create:/mnt/x"); r["create:/mnt/x"] != "EROFS" {
		t.Errorf("%v", r)
	}
	writeFile(t, src+"/host", "") // the source itself stays writable
}

func TestBindReadonlyLeavesSubmountsWritable(t *testing.T) {
	b := newBundle(t)
	src := b.tmpfs("src")
	b.tmpfs("src/sub")
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "ro")))
	r := b.try("create:/mnt/x", "create:/mnt/sub/x")
	if r["create:/mnt/x"] != "EROFS" || r["create:/mnt/sub/x"] != "" {
		t.Errorf("%v", r)
	}
}

func TestBindWithoutRecursionHidesSubmounts(t *testing.T) {
	b := newBundle(t)
	src := b.tmpfs("src")
	writeFile(t, b.tmpfs("src/sub")+"/f", "")
	b.edit(addMount(mnt("/mnt", "bind", src, "bind"), mnt("/data", "bind", src, "rbind")))
	st := b.stat("/mnt/sub/f", "/data/sub/f")
	if st["/mnt/sub/f"].Err != "ENOENT" || st["/data/sub/f"].Err != "" {
		t.Errorf("%+v", st)
	}
}

// As CRI-O writes it.
func TestBindAfterRbindStaysRecursive(t *testing.T) {
	b := newBundle(t)
	src := b.tmpfs("src")
	writeFile(t, b.tmpfs("src/sub")+"/f", "")
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "rprivate", "rw", "bind")))
	if st := b.stat("/mnt/sub/f"); st["/mnt/sub/f"].Err != "" {
		t.Errorf("%+v", st)
	}
}

func TestBindFlagsAreOfThatMountOnly(t *testing.T) {
	b := newBundle(t)
	src := b.tmpfs("src") // the directory of all cases may be on a mount that has flags
	b.edit(addMount(mnt("/mnt", "bind", src, "bind", "nosuid", "nodev", "noexec", "noatime"), mnt("/data", "bind", src, "bind")))
	f := b.facts()
	for _, opt := range []string{"nosuid", "nodev", "noexec", "noatime"} {
		if !hasOption(findMount(f.Mounts, "/mnt").Options, opt) || hasOption(findMount(f.Mounts, "/data").Options, opt) {
			t.Errorf("%s: %v and %v", opt, findMount(f.Mounts, "/mnt").Options, findMount(f.Mounts, "/data").Options)
		}
	}
}

func TestBindWithClearingOptionsClearsTheSourcesFlags(t *testing.T) {
	not(t, "runc", "1.1 keeps them")
	b := newBundle(t)
	src := b.tmpfs("src")
	check(t, syscall.Mount("", src, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_NODEV|syscall.MS_NOEXEC|syscall.MS_RDONLY, ""))
	b.edit(addMount(mnt("/mnt", "bind", src, "bind", "rw", "dev", "exec")))
	m := findMount(b.facts().Mounts, "/mnt")
	for _, opt := range []string{"ro", "nodev", "noexec"} {
		if hasOption(m.Options, opt) {
			t.Errorf("still %s: %v", opt, m.Options)
		}
	}
}

func TestBindWithFilesystemDataFails(t *testing.T) {
	not(t, "runc", "1.1 ignores the data")
	b := newBundle(t)
	b.edit(addMount(mnt("/mnt", "bind", b.hostDir("src"), "bind", "size=5k")))
	b.run().fails(t, "size=5k")
	b.wantGone()
}

func TestBindKeepsTheMountedFilesOwners(t *testing.T) {
	b := newBundle(t)
	src := b.hostFile("src/f", "")
	check(t, os.Chown(src, 77, 88))
	b.edit(addMount(mnt("/mnt", "bind", filepath.Dir(src), "bind")))
	if st := b.stat("/mnt/f")["/mnt/f"]; st.UID != 77 || st.GID != 88 {
		t.Errorf("%+v", st)
	}
}

func TestMountPropagationOptions(t *testing.T) {
	for opt, want := range map[string]string{"private": "", "shared": "shared:", "slave": "master:", "unbindable": "unbindable"} {
		t.Run(opt, func(t *testing.T) {
			b := newBundle(t)
			src := b.sharedMount("src")
			m := b.mountOf(mnt("/mnt", "bind", src, "bind", opt))
			got := strings.Join(m.Optional, " ")
			if (want == "" && got != "") || !strings.HasPrefix(got, want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestMountPropagationSlaveAndSharedTogether(t *testing.T) {
	b := newBundle(t)
	m := b.mountOf(mnt("/mnt", "bind", b.sharedMount("src"), "bind", "slave", "shared"))
	if got := strings.Join(m.Optional, " "); !strings.Contains(got, "shared:") || !strings.Contains(got, "master:") {
		t.Errorf("%q", got)
	}
}

func TestRecursivePropagationReachesSubmounts(t *testing.T) {
	b := newBundle(t)
	src := b.sharedMount("src")
	b.sharedMount("src/sub")
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "rprivate")))
	f := b.facts()
	for _, target := range []string{"/mnt", "/mnt/sub"} {
		if m := findMount(f.Mounts, target); m.Target == "" || len(m.Optional) != 0 {
			t.Errorf("%+v", m)
		}
	}
}

func TestRecursiveAttributesReachSubmounts(t *testing.T) {
	not(t, "runc", "1.1 offers fewer")
	for opt, flag := range map[string]string{"rro": "ro", "rnosuid": "nosuid", "rnodev": "nodev", "rnoexec": "noexec",
		"rnoatime": "noatime", "rnodiratime": "nodiratime", "rrelatime": "relatime", "rnosymfollow": "nosymfollow"} {
		t.Run(opt, func(t *testing.T) {
			b := newBundle(t)
			src := b.tmpfs("src")
			b.tmpfs("src/sub")
			b.edit(addMount(mnt("/mnt", "bind", src, "rbind", opt)))
			f := b.facts()
			for _, target := range []string{"/mnt", "/mnt/sub"} {
				if m := findMount(f.Mounts, target); !hasOption(m.Options, flag) {
					t.Errorf("%s: %v", target, m.Options)
				}
			}
		})
	}
}

func TestRecursiveAttributesClear(t *testing.T) {
	not(t, "runc", "1.1 offers fewer")
	b := newBundle(t)
	src := b.tmpfs("src")
	sub := b.tmpfs("src/sub")
	check(t, syscall.Mount("", sub, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY|syscall.MS_NOEXEC, ""))
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "rrw", "rexec")))
	m := findMount(b.facts().Mounts, "/mnt/sub")
	if hasOption(m.Options, "ro") || hasOption(m.Options, "noexec") {
		t.Errorf("%v", m.Options)
	}
}

func TestRecursiveAttributeWinsOverTheFlatOne(t *testing.T) {
	not(t, "runc", "1.1 offers fewer")
	b := newBundle(t)
	if m := b.mountOf(mnt("/mnt", "bind", b.tmpfs("src"), "rbind", "rro", "rw")); !hasOption(m.Options, "ro") {
		t.Errorf("%v", m.Options)
	}
}

func TestIdmappedBindTranslatesOwners(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t, userNS)
	src := b.idmappable("src")
	writeFile(t, src+"/f", "")
	check(t, os.Chown(src+"/f", 5, 6))
	m := mnt("/mnt", "bind", src, "bind")
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	m.UIDMappings, m.GIDMappings = ids, ids
	b.edit(addMount(m))
	if st := b.stat("/mnt/f")["/mnt/f"]; st.UID != 5 || st.GID != 6 {
		t.Errorf("%+v", st)
	}
}

func TestIdmapOptionUsesTheContainersMapping(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t, userNS)
	src := b.idmappable("src")
	writeFile(t, src+"/f", "")
	check(t, os.Chown(src+"/f", 5, 6))
	b.edit(addMount(mnt("/mnt", "bind", src, "bind", "idmap")))
	if st := b.stat("/mnt/f")["/mnt/f"]; st.UID != 5 || st.GID != 6 {
		t.Errorf("%+v", st)
	}
}

func TestIdmappedBindWithoutUserNamespaceHasItsOwnMapping(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t)
	src := b.idmappable("src")
	writeFile(t, src+"/f", "")
	check(t, os.Chown(src+"/f", 5, 6))
	m := mnt("/mnt", "bind", src, "bind")
	m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 7000, Size: 100}}
	m.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 8000, Size: 100}}
	b.edit(addMount(m))
	if st := b.stat("/mnt/f")["/mnt/f"]; st.UID != 7005 || st.GID != 8006 {
		t.Errorf("%+v", st)
	}
}

func TestIdmappedTmpfsInAUserNamespace(t *testing.T) {
	onlyTare(t, "runc maps binds alone")
	if kernelBefore(t, 6, 3) {
		skip(t, "no idmapped tmpfs before Linux 6.3")
	}
	b := newBundle(t, userNS, addMount(mnt("/mnt", "tmpfs", "mapped", "idmap", "size=64k", "mode=711", "noexec"), mnt("/data", "tmpfs", "mapped", "ridmap", "ro")))
	b.mayLeave("mnt")
	st := b.stat("/mnt")["/mnt"]
	if st.UID != 0 || st.GID != 0 || st.Mode != 0o711 {
		t.Errorf("%+v", st)
	}
	m := findMount(b.facts().Mounts, "/mnt")
	if m.Source != "mapped" || !hasOption(m.Options, "noexec") || !hasOption(m.Options, "idmapped") || !hasOption(m.Super, "size=64k") {
		t.Errorf("%+v", m)
	}
	if r := b.try("create:/mnt/x", "create:/data/x"); r["create:/mnt/x"] != "" || r["create:/data/x"] != "EROFS" {
		t.Errorf("%v", r)
	}
}

func TestIdmappedTmpfsInAUserNamespaceCannotCopyUp(t *testing.T) {
	onlyTare(t, "runc maps binds alone")
	b := newBundle(t, userNS, addMount(mnt("/etc", "tmpfs", "t", "idmap", "tmpcopyup")))
	b.run().fails(t, "mounts[6].options: tmpcopyup")
	b.wantGone()
}

func TestIdmapMappingsOfOneKindAloneFail(t *testing.T) {
	b := newBundle(t)
	m := mnt("/mnt", "bind", b.hostDir("src"), "bind")
	m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 7000, Size: 100}}
	b.edit(addMount(m))
	not(t, "runc", "1.1 has none")
	b.run().fails(t)
	b.wantGone()
}

func TestCopySymlinkMakesTheLinkInside(t *testing.T) {
	onlyTare(t, "copy-symlink, as crun has it")
	b := newBundle(t)
	b.mayLeave("mnt/l")
	check(t, os.Symlink("/target/of/link", b.dir+"/l"))
	b.edit(addMount(mnt("/mnt/l", "bind", b.dir+"/l", "bind", "copy-symlink")))
	if st := b.stat("/mnt/l")["/mnt/l"]; st.Type != "link" || st.Link != "/target/of/link" {
		t.Errorf("%+v", st)
	}
}

func TestSrcNofollowBindsTheLinkItself(t *testing.T) {
	onlyTare(t, "src-nofollow, as crun has it")
	for name, text := range map[string]string{"to a directory": "/etc", "to nothing": "/no/such/target"} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			check(t, os.Symlink(text, b.dir+"/l"))
			b.mayLeave("mnt/l")
			b.edit(addMount(mnt("/mnt/l", "bind", b.dir+"/l", "bind", "src-nofollow")))
			if st := b.stat("/mnt/l")["/mnt/l"]; st.Type != "link" || st.Link != text {
				t.Errorf("%+v", st)
			}
		})
	}
}
