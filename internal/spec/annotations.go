package spec

// Annotation keys that change what the runtime does. A key that ends with a dot
// is a prefix. All others are carried along unread.
const (
	AnnotationSystemdProperty = "org.systemd.property."
	AnnotationCRIUConfig      = "org.criu.config"

	// AnnotationBoot ("true" or "false") says that the process is an init system, systemd above all: it gets
	// /run and /tmp, cgroups that it may manage, container=oci, and SIGRTMIN+3 where no signal is named.
	AnnotationBoot = "tare.boot"

	// AnnotationEphemeralRoot ("true" or "false") says that what the container changes in its root filesystem
	// is kept in memory and gone with it.
	AnnotationEphemeralRoot = "tare.root.ephemeral"

	AnnotationSystemdSubgroup    = "run.oci.systemd.subgroup"
	AnnotationDelegateCgroup     = "run.oci.delegate-cgroup"
	AnnotationForceCgroupV1      = "run.oci.systemd.force_cgroup_v1"
	AnnotationSeccompReceiver    = "run.oci.seccomp.receiver"
	AnnotationSeccompPlugins     = "run.oci.seccomp.plugins"
	AnnotationSeccompFailUnknown = "run.oci.seccomp_fail_unknown_syscall"
	AnnotationSeccompBPF         = "run.oci.seccomp_bpf_data"
	AnnotationKeepOriginalGroups = "run.oci.keep_original_groups"
	AnnotationPidfdReceiver      = "run.oci.pidfd_receiver"
	AnnotationMountContextType   = "run.oci.mount_context_type"
	AnnotationHooksStdout        = "run.oci.hooks.stdout"
	AnnotationHooksStderr        = "run.oci.hooks.stderr"
	AnnotationHandler            = "run.oci.handler"
	annotationKrun               = "krun."
	annotationWasm               = "module.wasm.image/variant"
)

// Boots says whether the annotations ask for AnnotationBoot.
func Boots(annotations map[string]string) bool { return annotations[AnnotationBoot] == "true" }

// EphemeralRoot says whether the annotations ask for AnnotationEphemeralRoot.
func EphemeralRoot(annotations map[string]string) bool {
	return annotations[AnnotationEphemeralRoot] == "true"
}
