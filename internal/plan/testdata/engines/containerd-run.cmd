user:    start --rm -- c1 true
runtime: tare --root /run/containerd/runc/default --log /run/containerd/io.containerd.runtime.v2.task/default/c1/log.json --log-format json create --bundle /run/containerd/io.containerd.runtime.v2.task/default/c1 --pid-file /run/containerd/io.containerd.runtime.v2.task/default/c1/init.pid c1 
