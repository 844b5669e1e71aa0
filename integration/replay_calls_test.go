package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// testdata is absolute, as cases run in directories of their own.
var testdata, _ = filepath.Abs("testdata")

// replayCase is a sequence of calls, and the container that it is for.
type replayCase struct {
	name, engine string
	edit         func(*specs.Spec)
	play         func(r *replay)
}

// replays are the calls of engines, as they were recorded below dockerd, containerd and podman.
func replays() []replayCase {
	hold := prog("hold")
	return []replayCase{
		{"probes", "dockerd starts", nil, playProbes},
		{"shim-run", "containerd's shim: run, the process ends", sh("echo out; exit 3"), playShimRun},
		{"shim-run-terminal", "containerd's shim: run -t", and(terminal, sh("test -t 0 && echo terminal")), playShimTerminal},
		{"shim-no-pivot", "ctr run --no-pivot", sh("echo out"), playShimNoPivot},
		{"shim-missing-program", "containerd's shim: create fails", args("/no/such"), playShimCreateFails},
		{"shim-missing-command", "containerd's shim: create fails", args("nosuch"), playShimCreateFails},
		{"shim-not-a-program", "containerd's shim: create fails", args("/etc/passwd"), playShimCreateFails},
		{"shim-a-folder", "containerd's shim: create fails", args("/etc"), playShimCreateFails},
		{"shim-missing-source", "containerd's shim: create fails", addMount(mnt("/mnt", "bind", "/no/such", "rbind")), playShimCreateFails},
		{"shim-exec", "containerd's shim: exec", hold, playShimExec},
		{"shim-exec-terminal", "containerd's shim: exec -t", hold, playShimExecTerminal},
		{"shim-exec-fails", "containerd's shim: exec of what is not there", hold, playShimExecFails},
		{"shim-kill", "containerd's shim: kill, stop, and signals that come late", hold, playShimKill},
		{"shim-kill-all", "containerd's shim: init has ended, others in its pid namespace have not", and(dropNS("pid"), sh("sleep 1000 & echo up")), playShimKillAll},
		{"shim-pause", "containerd's shim: pause, unpause, and what does not fit", hold, playShimPause},
		{"shim-update", "containerd's shim: update", hold, playShimUpdate},
		{"shim-top", "containerd's shim: top, and after a restart of containerd", hold, playShimTop},
		{"shim-killed", "another shim finds the container of one that was killed", hold, playShimKilled},
		{"shim-twice", "containerd's shim: an id that is taken, a second start", hold, playShimTwice},
		{"buildkit", "buildkit: a step of a build", sh("echo out; exit 4"), playBuildKit},
		{"podman-run", "podman and conmon: run", sh("echo $LISTEN_FDS$_OCI_SYNCPIPE; ls /proc/self/fd; exit 5"), playPodmanRun},
		{"podman-create-fails", "podman and conmon: create fails", args("/no/such"), playPodmanCreateFails},
		{"podman-life", "podman: exec, pause, update, kill, stop", hold, playPodmanLife},
		{"buildah", "buildah: a step of a build, with stray pipes", sh("ls /proc/self/fd"), playBuildah},
		{"list", "people: list and state of every status", hold, playList},
		{"podman-probes", "podman and CRI-O: can it checkpoint, can it restore into a pod", nil, playPodmanProbes},
		{"shim-checkpoint", "containerd's shim: checkpoint, with and without leaving it running", sh("echo ready; while :; do sleep 1; done"), playShimCheckpoint},
		{"podman-checkpoint", "podman and conmon: checkpoint and restore", sh("echo ready; while :; do sleep 1; done"), playPodmanCheckpoint},
		{"cri-o", "CRI-O: through conmon and by itself", hold, playCRIO},
		{"absent", "any engine: a container that is not there", nil, playAbsent},
	}
}

func and(edits ...func(*specs.Spec)) func(*specs.Spec) {
	return func(s *specs.Spec) {
		for _, e := range edits {
			e(s)
		}
	}
}

func TestReplay(t *testing.T) {
	needGranted(t)
	for _, c := range replays() {
		t.Run(c.name, func(t *testing.T) {
			if *record == "" {
				onlyTare(t, "it answers as runc does")
			}
			b := newBundle(t)
			if c.edit != nil {
				b.edit(c.edit)
			}
			b.write()
			r := newReplay(t, b)
			c.play(r)
			r.check(c.engine)
		})
	}
}

// Every recorded answer belongs to a case: none may be left over, compared with nothing.
func TestReplayHasACaseForEveryRecording(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata, "replay/*.json"))
	check(t, err)
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if !slices.ContainsFunc(replays(), func(c replayCase) bool { return c.name == name }) {
			t.Errorf("no case for %s", f)
		}
	}
	if len(files) < len(replays()) {
		t.Errorf("%d recordings for %d cases", len(files), len(replays()))
	}
}

// pidFile looks at a pid file: it must hold the pid of a process, and nothing else.
func (r *replay) pidFile(path string) {
	r.t.Helper()
	path = r.line(path)[0]
	data, err := os.ReadFile(path)
	pid, perr := strconv.Atoi(string(data))
	switch {
	case err != nil:
		r.see("pid file", "missing")
	case perr != nil:
		r.see("pid file", strconv.Quote(string(data)))
	default:
		r.see("pid file", "PID")
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
			r.t.Errorf("%s: %d: %v", path, pid, err)
		}
	}
}

// output waits for the container to have written text, and keeps all it wrote until now.
func (r *replay) output(text string) {
	r.t.Helper()
	waitFor(r.t, text, func() bool { return strings.Contains(readFile(r.t, r.out), text) })
	r.see("output", readFile(r.t, r.out))
}

// ended waits until the init has ended: an engine is told by its SIGCHLD.
func (r *replay) ended(pidFile string) {
	r.t.Helper()
	pid, err := strconv.Atoi(readFile(r.t, r.line(pidFile)[0]))
	check(r.t, err)
	waitFor(r.t, "the end", func() bool {
		state := procFieldOr(pid, "State", "gone")
		return state == "gone" || strings.HasPrefix(state, "Z")
	})
}

// procFieldOr is a field of /proc/PID/status, or absent if there is none.
func procFieldOr(pid int, field, absent string) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return absent
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return absent
}

func (r *replay) shimUp() {
	r.call("G create --bundle B --pid-file B/init.pid ID")
	r.pidFile("B/init.pid")
	r.call("G start ID")
}

func (r *replay) shimHeld() {
	r.shimUp()
	r.output("ready\n")
}

func (r *replay) shimDown() {
	r.ended("B/init.pid")
	r.call("G delete ID")
	r.call("G delete --force ID")
}

func playProbes(r *replay) {
	r.call("features")
	r.call("--version")
}

func playShimRun(r *replay) {
	r.shimUp()
	r.output("out\n")
	r.shimDown()
}

func playShimTerminal(r *replay) {
	sock := newConsoleSocket(r.t, r.bundle)
	r.call("G create --bundle B --pid-file B/init.pid --console-socket S ID")
	p := sock.master(r.t)
	r.call("G start ID")
	p.waitText(r.t, "terminal\n")
	r.shimDown()
}

func playShimNoPivot(r *replay) {
	r.call("G create --bundle B --pid-file B/init.pid --no-pivot ID")
	r.call("G start ID")
	r.output("out\n")
	r.shimDown()
}

func playShimCreateFails(r *replay) {
	r.call("G create --bundle B --pid-file B/init.pid ID")
	r.pidFile("B/init.pid")
	r.call("G delete --force ID")
	r.call("G state ID")
}

// process writes the process object of an exec.
func (r *replay) process(terminal bool, args ...string) {
	r.t.Helper()
	p := *r.spec.Process
	p.Args, p.Terminal = args, terminal
	data, err := json.Marshal(p)
	check(r.t, err)
	writeFile(r.t, r.words["F"], string(data))
}

func playShimExec(r *replay) {
	r.shimHeld()
	r.process(false, "/bin/sh", "-c", "echo exec >/data/exec; sleep 1000")
	r.mayLeave("data/exec")
	r.call("G exec --process F --detach --pid-file B/exec.pid ID")
	r.pidFile("B/exec.pid")
	waitFor(r.t, "the program", func() bool { return exists(r.inRoot("data/exec")) })
	r.call("G ps --format json ID")
	r.call("G kill ID 9")
	r.shimDown()
}

func playShimExecTerminal(r *replay) {
	r.shimHeld()
	sock := newConsoleSocket(r.t, r.bundle)
	r.process(true, "/bin/sh", "-c", "test -t 0 && echo terminal; sleep 1000")
	r.call("G exec --process F --console-socket S --detach --pid-file B/exec.pid ID")
	sock.master(r.t).waitText(r.t, "terminal\n")
	r.pidFile("B/exec.pid")
	r.call("G kill ID 9")
	r.shimDown()
}

func playShimExecFails(r *replay) {
	r.shimHeld()
	for _, arg := range []string{"/no/such", "nosuch", "/etc/passwd", "/etc"} {
		r.process(false, arg)
		r.call("G exec --process F --detach --pid-file B/exec.pid ID")
		r.see("program", arg)
		r.pidFile("B/exec.pid")
	}
	r.call("G kill ID 9")
	r.shimDown()
}

func playShimKill(r *replay) {
	r.shimHeld()
	r.call("G kill ID 10")
	r.output("got SIGUSR1\n")
	r.call("G kill --all ID 12")
	r.output("got SIGUSR2\n")
	r.call("G kill ID 15")
	r.ended("B/init.pid")
	r.call("G kill ID 9")
	r.call("G kill ID 15")
	r.call("G state ID")
	r.process(false, "/bin/true")
	r.call("G exec --process F --detach --pid-file B/exec.pid ID")
	r.call("G delete ID")
	r.call("G kill ID 9")
	r.call("G delete --force ID")
}

func playShimKillAll(r *replay) {
	r.shimUp()
	r.output("up\n")
	r.ended("B/init.pid")
	r.call("G ps --format json ID")
	r.call("G kill --all ID 9")
	r.call("G delete ID")
	r.call("G delete --force ID")
}

func playShimPause(r *replay) {
	needController(r.t, "freezer")
	r.shimHeld()
	r.call("G resume ID")
	r.call("G pause ID")
	r.call("G state ID")
	r.process(false, "/bin/true")
	r.call("G exec --process F --detach --pid-file B/exec.pid ID")
	r.call("G resume ID")
	r.call("G state ID")
	r.call("G delete ID")
	r.call("G kill ID 9")
	r.shimDown()
}

func playShimUpdate(r *replay) {
	needController(r.t, "pids")
	r.shimHeld()
	r.stdin = `{"pids":{"limit":77}}`
	r.call("G update --resources=- ID")
	r.see("pids.max", r.cgroupFile("pids", "pids.max", "pids.max"))
	r.stdin = `{"pids":{"limit":-1}}`
	r.call("G update --resources=- ID")
	r.see("pids.max", r.cgroupFile("pids", "pids.max", "pids.max"))
	r.stdin = `{"pids":`
	r.call("G update --resources=- ID")
	r.call("G kill ID 9")
	r.shimDown()
}

func playShimTop(r *replay) {
	r.shimHeld()
	r.call("G ps --format json ID")
	r.call("G kill ID 9")
	r.ended("B/init.pid")
	r.call("G ps --format json ID")
	r.shimDown()
}

func playShimKilled(r *replay) {
	r.shimHeld()
	r.call("G delete --force ID")
	r.ended("B/init.pid")
	r.call("G state ID")
}

func playShimTwice(r *replay) {
	r.shimHeld()
	r.call("G create --bundle B --pid-file B/init2.pid ID")
	r.call("G start ID")
	r.call("G delete ID")
	r.call("G kill ID 9")
	r.ended("B/init.pid")
	r.call("G start ID")
	r.shimDown()
}

// usualRoot plays calls that name no state root: they use the runtime's own.
func (r *replay) usualRoot() {
	r.t.Helper()
	r.t.Cleanup(func() { command(r.bundle, "delete", "--force", r.id).Run() })
}

func playBuildKit(r *replay) {
	r.usualRoot()
	r.prepare = func(c *exec.Cmd) { c.Dir = "/" }
	r.call("--log B/log.json --log-format json run --bundle B --keep ID")
	r.output("out\n")
	r.call("state ID")
	r.call("delete ID")
}

// conmon makes a call as conmon does: from /, with its pipes in the environment.
func conmon(c *exec.Cmd) {
	c.Dir = "/"
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(c.Env, "_OCI_SYNCPIPE=3", "_OCI_STARTPIPE=4", "_OCI_ATTACHPIPE=5")
}

func playPodmanRun(r *replay) {
	r.usualRoot()
	r.call("--version")
	read, write, err := os.Pipe()
	check(r.t, err)
	defer read.Close()
	defer write.Close()
	r.prepare = func(c *exec.Cmd) {
		conmon(c)
		c.ExtraFiles = []*os.File{read, write}
	}
	r.call("--log-format=json --log V/oci-log create --bundle B --pid-file V/pidfile --preserve-fds 1 ID")
	r.pidFile("V/pidfile")
	r.call("start ID")
	r.ended("V/pidfile")
	r.output("3\n")
	r.call("delete --force ID")
	r.call("delete --force ID")
}

func playPodmanCreateFails(r *replay) {
	r.usualRoot()
	r.prepare = conmon
	r.call("--log-format=json --log V/oci-log create --bundle B --pid-file V/pidfile ID")
	r.pidFile("V/pidfile")
	r.call("delete --force ID")
}

func playPodmanLife(r *replay) {
	needController(r.t, "freezer")
	needController(r.t, "pids")
	r.usualRoot()
	r.prepare = conmon
	r.call("--log-format=json --log V/oci-log create --bundle B --pid-file V/pidfile ID")
	r.call("start ID")
	r.output("ready\n")
	r.process(false, "/bin/sh", "-c", "echo exec >/data/exec; exit 7")
	r.mayLeave("data/exec")
	r.prepare = conmon
	r.call("--log-format=json --log U/oci-log exec --pid-file U/exec_pid --process F --detach ID")
	waitFor(r.t, "the program", func() bool { return exists(r.inRoot("data/exec")) })
	r.call("pause ID")
	r.call("state ID")
	r.call("resume ID")
	writeFile(r.t, filepath.Join(r.words["V"], "podman1"), `{"pids":{"limit":55}}`)
	r.call("update --resources=V/podman1 ID")
	r.see("pids.max", r.cgroupFile("pids", "pids.max", "pids.max"))
	r.call("kill ID 10")
	r.output("got SIGUSR1\n")
	r.call("kill ID 15")
	r.ended("V/pidfile")
	r.call("kill ID 9")
	r.call("delete --force ID")
}

func playBuildah(r *replay) {
	r.usualRoot()
	var pipes []*os.File
	for range 6 {
		read, write, err := os.Pipe()
		check(r.t, err)
		defer read.Close()
		defer write.Close()
		pipes = append(pipes, read, write)
	}
	r.prepare = func(c *exec.Cmd) { c.ExtraFiles = pipes }
	r.call("create --bundle B --pid-file B/pid ID")
	r.pidFile("B/pid")
	r.prepare = func(c *exec.Cmd) { c.ExtraFiles = pipes }
	r.call("start ID")
	r.ended("B/pid")
	r.output("3\n")
	r.call("state ID")
	r.call("delete ID")
}

func playList(r *replay) {
	r.call("G list")
	r.call("G list --format json")
	r.call("G create --bundle B --pid-file B/init.pid ID")
	r.call("G state ID")
	r.call("G list --format json")
	r.call("G list --quiet")
	r.call("G start ID")
	r.output("ready\n")
	r.call("G state ID")
	r.call("G list")
	check(r.t, unix.Kill(r.state().Pid, unix.SIGKILL))
	r.ended("B/init.pid")
	r.call("G state ID")
	r.call("G list --format json")
	r.shimDown()
}

func playAbsent(r *replay) {
	for _, call := range []string{"state ID", "start ID", "kill ID 9", "kill --all ID 9", "delete ID", "delete --force ID", "pause ID",
		"resume ID", "ps --format json ID", "exec --process F --detach ID", "update --resources=- ID"} {
		r.call("G " + call)
	}
}

func playCRIO(r *replay) {
	needController(r.t, "pids")
	r.prepare = conmon
	r.call("--root=R --log-format=json --log V/oci-log create --bundle B --pid-file V/pidfile ID")
	r.pidFile("V/pidfile")
	r.call("--root=R start ID")
	r.output("ready\n")
	r.call("--root=R state ID")
	r.process(false, "/bin/sh", "-c", "exit 6")
	r.call("--root=R exec --process F ID")
	r.stdin = `{"pids":{"limit":66}}`
	r.call("--root=R update --resources - ID")
	r.see("pids.max", r.cgroupFile("pids", "pids.max", "pids.max"))
	r.call("--root=R kill ID USR1")
	r.output("got SIGUSR1\n")
	r.call("--root=R kill ID SIGUSR2")
	r.output("got SIGUSR2\n")
	r.call("--root=R kill -a ID 9")
	r.ended("V/pidfile")
	r.call("--root=R state ID")
	r.call("--root=R delete --force ID")
}

// probe makes a call of which an engine wants to know only whether it succeeds, and whether it says text.
func (r *replay) probe(call, text string) {
	r.t.Helper()
	res := r.do(command(r.bundle, r.line(call)...))
	r.answers = append(r.answers, replayAnswer{Call: call, Status: min(res.code, 1),
		Seen: map[string]string{text: strconv.FormatBool(strings.Contains(res.out+res.err, text))}})
}

func playPodmanProbes(r *replay) {
	r.probe("checkpoint --help", "")
	r.probe("restore --lsm-mount-context", "flag needs an argument")
}

// files says which of the names are in a folder.
func (r *replay) files(dir string, names ...string) {
	r.t.Helper()
	for _, n := range names {
		r.see(n, strconv.FormatBool(exists(filepath.Join(r.line(dir)[0], n))))
	}
}

// criu gives the runtime one that works here; the recording runtime has its own.
func (r *replay) criu() {
	r.t.Helper()
	r.quiet = true
	if *record == "" {
		needCRIU(r.t)
		r.withCRIU()
		// The recorded lines have no flag for it. (CRIU 4.1 crashes over the setting; with iptables it needs none.)
		if _, err := exec.LookPath("iptables"); err != nil {
			r.annotate("org.criu.config", r.hostFile("criu.conf", "network-lock nftables\n"))
		}
		r.write()
	}
}

// worked keeps a failure of CRIU's, which has its moods, from becoming what is compared with.
func (r *replay) worked(a *replayAnswer) {
	r.t.Helper()
	if *record != "" && a.Status != 0 {
		r.t.Fatalf("%s: status %d: record it again", a.Call, a.Status)
	}
}

func playShimCheckpoint(r *replay) {
	r.criu()
	mkdirs(r.t, r.words["U"]+"/work")
	r.call("G create --bundle B --pid-file B/init.pid ID")
	r.call("G start ID")
	r.call("G pause ID")
	r.worked(r.call("G checkpoint --image-path U/one --work-path U/work --leave-running ID"))
	r.files("U/one", "inventory.img", "descriptors.json")
	r.call("G resume ID")
	r.call("G state ID")
	r.worked(r.call("G checkpoint --image-path U/two --work-path U/work ID"))
	r.files("U/two", "inventory.img", "descriptors.json")
	r.call("G delete --force ID")
}

func playPodmanCheckpoint(r *replay) {
	r.criu()
	r.usualRoot()
	r.prepare = conmon
	r.call("--log-format=json --log V/oci-log create --bundle B --pid-file V/pidfile ID")
	r.call("start ID")
	r.worked(r.call("checkpoint --image-path U/checkpoint --work-path U ID"))
	r.files("U/checkpoint", "inventory.img", "descriptors.json")
	r.call("delete --force ID")
	r.prepare = conmon
	r.call("--log-format=json --log V/oci-log restore --bundle B --pid-file V/pidfile --detach --image-path U/checkpoint --work-path U ID")
	r.pidFile("V/pidfile")
	r.call("state ID")
	r.call("delete --force ID")
}
