# shellcheck shell=bash
# image.sh - the images, made here of busybox: no registry is asked. Sourced, in the lab.

# image_root DIR: a small root file system.
image_root() {
	local d=$1
	mkdir -p "$d"/{bin,etc,tmp,proc,sys,dev,root,var/tmp,home/user,srv,usr/bin}
	chmod 1777 "$d/tmp" "$d/var/tmp"
	cp /usr/bin/busybox "$d/bin/busybox"
	chroot "$d" /bin/busybox --install -s /bin
	cat >"$d/etc/passwd" <<-'END'
		root:x:0:0:root:/root:/bin/sh
		daemon:x:1:1:daemon:/:/bin/sh
		user:x:1000:1000:user:/home/user:/bin/sh
		nobody:x:65534:65534:nobody:/:/bin/sh
	END
	cat >"$d/etc/group" <<-'END'
		root:x:0:
		daemon:x:1:
		extra:x:44:user
		user:x:1000:
		nogroup:x:65534:
	END
	chown -R 1000:1000 "$d/home/user"
	echo not a program >"$d/bin/noexec"
	printf '#!/bin/absent\n' >"$d/bin/nointerp"
	chmod 0755 "$d/bin/nointerp"
}

# image_archive FILE NAME:TAG CMD-JSON: an image of that root as `docker save` writes one.
image_archive() {
	local file=$1 name=$2 cmd=$3 d layer config
	d=$(mktemp -d)
	[[ -d /tmp/image-root ]] || image_root /tmp/image-root
	tar -C /tmp/image-root --numeric-owner -cf "$d/layer.tar" .
	layer=$(sha256sum <"$d/layer.tar" | cut -d' ' -f1)
	config=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
	jq -nc --arg layer "$layer" --arg arch "$config" --argjson cmd "$cmd" '{architecture: $arch, os: "linux",
		created: "2020-01-01T00:00:00Z", rootfs: {type: "layers", diff_ids: ["sha256:" + $layer]},
		config: {Cmd: $cmd, Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], WorkingDir: "/"}}' >"$d/config.json"
	config=$(sha256sum <"$d/config.json" | cut -d' ' -f1)
	mv "$d/config.json" "$d/$config.json"
	mkdir "$d/$layer"
	mv "$d/layer.tar" "$d/$layer/layer.tar"
	jq -nc --arg c "$config.json" --arg n "$name" --arg l "$layer/layer.tar" '[{Config: $c, RepoTags: [$n], Layers: [$l]}]' >"$d/manifest.json"
	tar -C "$d" -cf "$file" manifest.json "$config.json" "$layer"
	rm -rf "$d"
}
