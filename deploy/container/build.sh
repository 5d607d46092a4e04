#!/usr/bin/env bash
# Builds two container images from the package registries alone, without one from a hub: `localhost/eclair`, and
# `localhost/eclair-proxy`, a Caddy for compose.yaml. Needs root, mmdebstrap and buildah (`apt install mmdebstrap
# buildah`), and Éclair's wheel (`make wheel`).
#
#   deploy/container/build.sh [WHEEL]      builds both into the local store of Podman; push or save them from there,
#                                          and writes what is in them into dist/NAME-image-VERSION.cdx.json
#
# APT_SOURCES names a file with sources for apt in place of Debian's own; PIP_* variables hold for pip.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=trixie
user=10001
port=8642
format=$(python3 deploy/container/sbom.py format)
wheel=${1:-$(ls -t dist/eclair-*.whl 2>/dev/null | head -1)}
[ -f "$wheel" ] || { echo "There is no wheel; run \`make wheel\` first." >&2; exit 1; }
for tool in mmdebstrap buildah; do
    command -v "$tool" >/dev/null || { echo "$tool is missing; run \`apt install mmdebstrap buildah\`." >&2; exit 1; }
done
version=$(basename "$wheel" | cut -d- -f2)
# the same sources give the same image
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y "$wheel")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian with these packages, and what the further arguments do to it, as a tar archive, and a list of what is in it.
debian() {
    local packages=$1 archive=$2
    shift 2
    mmdebstrap --quiet --mode=root --variant=essential --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook="chroot \"\$1\" dpkg-query --show --showformat='$format' >$archive.packages" \
        "$@" --customize-hook='rm -rf "$1"/var/log/* "$1"/var/cache/* "$1"/root/.cache' \
        $suite "$archive" ${APT_SOURCES:+"$APT_SOURCES"}
}

# An image of such an archive; the further arguments are those of `buildah config`.
image() {
    local name=$1 archive=$2 container
    shift 2
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$archive" / >/dev/null
    buildah config --label "org.opencontainers.image.version=$version" "$@" "$container"
    buildah commit --quiet --rm --timestamp "$SOURCE_DATE_EPOCH" "$container" "localhost/$name:$version" >/dev/null
    buildah tag "localhost/$name:$version" "localhost/$name:latest"
    echo "localhost/$name:$version"
}

# Writes an image's SBOM from the package list beside its archive; further arguments go to sbom.py.
sbom() {
    local name=$1 archive=$2
    shift 2
    mkdir -p dist
    python3 deploy/container/sbom.py "$name" "$version" "$archive.packages" "$@" >"dist/$name-image-$version.cdx.json"
    echo "dist/$name-image-$version.cdx.json"
}

cp "$wheel" requirements.lock requirements-s3.lock "$work"
cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$work/ca.crt" # which may know the house's own authority
cat >"$work/install.sh" <<'INSTALL'
set -eu
cd /build
export PIP_CERT=/build/ca.crt SSL_CERT_FILE=/build/ca.crt REQUESTS_CA_BUNDLE=/build/ca.crt
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
unset PIP_FIND_LINKS
python3 -m venv /opt/eclair
/opt/eclair/bin/pip install --quiet --no-compile --require-hashes --only-binary :all: -r requirements.lock \
    -r requirements-s3.lock
/opt/eclair/bin/pip install --quiet --no-compile --no-deps --no-index eclair-*.whl
/opt/eclair/bin/pip list --format=json >python.json
/opt/eclair/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/eclair/lib || true # some hold templates
INSTALL
debian ca-certificates,libgomp1,libstdc++6,python3,python3-venv "$work/eclair.tar" \
    --customize-hook="mkdir \"\$1\"/build && cp $work/*.whl $work/requirements*.lock $work/ca.crt $work/install.sh \"\$1\"/build" \
    --customize-hook="chroot \"\$1\" sh /build/install.sh && mv \"\$1\"/build/python.json $work && rm -r \"\$1\"/build" \
    --customize-hook="install -d -o $user -g $user \"\$1\"/var/lib/eclair \"\$1\"/var/backups/eclair" # of volumes, too
image eclair "$work/eclair.tar" --user $user:$user --port $port --volume /var/lib/eclair --workingdir /var/lib/eclair \
    --env PATH=/opt/eclair/bin:/usr/bin:/bin --env HOME=/var/lib/eclair --env ECLAIR_DATA_DIR=/var/lib/eclair \
    --env ECLAIR_HOST=0.0.0.0 --env ECLAIR_PORT=$port --entrypoint '["eclair"]' --cmd serve \
    --label org.opencontainers.image.title=Éclair --label org.opencontainers.image.licenses=Apache-2.0
sbom eclair "$work/eclair.tar" "$work/python.json" "$wheel"

debian ca-certificates,caddy "$work/proxy.tar" \
    --customize-hook="mkdir -p \"\$1\"/var/lib/caddy && chown -R $user:$user \"\$1\"/var/lib/caddy"
image eclair-proxy "$work/proxy.tar" --user $user:$user --port 443 --volume /var/lib/caddy \
    --env XDG_DATA_HOME=/var/lib/caddy --env XDG_CONFIG_HOME=/var/lib/caddy --entrypoint '["caddy"]' \
    --cmd "run --config /etc/caddy/Caddyfile"
sbom eclair-proxy "$work/proxy.tar"
