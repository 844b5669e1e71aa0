package cli

import (
	"context"
	"slices"
	"strconv"

	"tare/internal/spec"
	"tare/libcontainer"
	"tare/seccomp"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"github.com/urfave/cli/v3"
)

func (a *app) featuresCommand() *cli.Command {
	return &cli.Command{
		Usage: "print what tare knows of the specification as JSON",
		Description: `The list is of what config.json may ask for (features.md of the specification), whether or not this host's
kernel has it.

   tare features`,
		Action: func(_ context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 0, 0); err != nil {
				return err
			}
			return a.printJSON(a.features(), "    ")
		},
	}
}

func (a *app) features() *features.Features {
	yes := new(true)
	mountOptions := slices.Clone(spec.KnownMountOptions())
	slices.Sort(mountOptions)
	annotations := map[string]string{
		"io.github.seccomp.libseccomp.version": seccomp.LibraryVersion(),
		"tare.version":                         a.build.Version,
		// The one thing here that depends on the host: engines offer checkpoints by it.
		"org.opencontainers.runc.checkpoint.enabled": strconv.FormatBool(libcontainer.HasCRIU()),
	}
	if a.build.Commit != "" {
		annotations["tare.commit"] = a.build.Commit
	}
	return &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks:         []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		MountOptions:  mountOptions,
		Linux: &features.Linux{
			Namespaces:   spec.KnownNamespaces(),
			Capabilities: spec.KnownCapabilities(),
			Cgroup:       &features.Cgroup{V1: yes, V2: yes, Systemd: yes, SystemdUser: yes, Rdma: yes},
			Seccomp: &features.Seccomp{
				Enabled: new(seccomp.Enabled), Actions: seccomp.Actions(), Operators: seccomp.Operators(),
				Archs: seccomp.Archs(), KnownFlags: seccomp.KnownFlags(), SupportedFlags: seccomp.SupportedFlags(),
			},
			Apparmor:        &features.Apparmor{Enabled: yes},
			Selinux:         &features.Selinux{Enabled: yes},
			IntelRdt:        &features.IntelRdt{Enabled: yes, Schemata: yes, Monitoring: yes},
			MemoryPolicy:    &features.MemoryPolicy{Modes: spec.MemoryPolicyModes(), Flags: spec.MemoryPolicyFlags()},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: yes}},
			NetDevices:      &features.NetDevices{Enabled: yes},
		},
		Annotations: annotations,
		// What in config.json can reach further than its author may; a final dot stands for any name.
		PotentiallyUnsafeConfigAnnotations: []string{"bundle", "org.criu.config", "org.systemd.property.", "run.oci.", spec.AnnotationBoot},
	}
}
