user:    start --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels -- c1 true
runtime: tare --root /run/containerd/runc/default --log /run/containerd/io.containerd.runtime.v2.task/default/c1/log.json --log-format json create --bundle /run/containerd/io.containerd.runtime.v2.task/default/c1 --pid-file /run/containerd/io.containerd.runtime.v2.task/default/c1/init.pid c1 
