#!/usr/bin/env bash
# Packages every crate as crates.io would get it, looks at what a reader of its page needs, and builds projects against the packages: the
# README's example, and one that uses them all. In: nothing set up. Out: success, or what is wrong. Publishes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
metadata() { python3 -c "import json, sys; m = json.load(sys.stdin); $1" < "$work/metadata.json"; }
cargo metadata --format-version 1 --no-deps --locked > "$work/metadata.json"
target=$(metadata 'print(m["target_directory"])')
crates=$(metadata '[print(p["name"]) for p in m["packages"] if p["publish"] is None]')

# shellcheck disable=SC2046
cargo package $(printf -- '--package %s ' $crates) --locked --allow-dirty --no-verify --quiet
mkdir "$work/crates"
for crate in $crates; do
    version=$(metadata "[print(p['version']) for p in m['packages'] if p['name'] == '$crate']")
    tar -xzf "$target/package/$crate-$version.crate" -C "$work/crates"
    mv "$work/crates/$crate-$version" "$work/crates/$crate"
    for file in README.md LICENSE; do
        [ -s "$work/crates/$crate/$file" ] || { echo "$crate has no $file" >&2; exit 1; }
    done
    for field in description license repository documentation readme keywords categories; do
        grep -q "^$field = " "$work/crates/$crate/Cargo.toml" || { echo "$crate has no $field" >&2; exit 1; }
    done
done

# The commit is what the package records, and unknown where nothing does.
rustc --edition 2024 -o "$work/build" "$work/crates/callgate-cli/build.rs"
commit() { (cd "$work/crates/callgate-cli" && "$work/build" | sed -n 's/^cargo::rustc-env=CALLGATE_COMMIT=//p'); }
recorded="$work/crates/callgate-cli/.cargo_vcs_info.json"
if [ -f "$recorded" ]; then
    [ "$(commit)" = "$(git rev-parse --short=12 HEAD)" ] || { echo "the commit of a package is $(commit)" >&2; exit 1; }
    rm "$recorded"
fi
[ "$(commit)" = unknown ] || { echo "without a record, the commit is $(commit)" >&2; exit 1; }

mkdir -p "$work/user/src" "$work/all/src"
cat > "$work/Cargo.toml" << 'TOML'
[workspace]
resolver = "3"
members = ["user", "all"]

[patch.crates-io]
TOML
for crate in $crates; do echo "$crate = { path = \"crates/$crate\" }" >> "$work/Cargo.toml"; done
for project in user all; do
    printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n' $project > "$work/$project/Cargo.toml"
done
printf 'callgate = "0.1"\nserde_json = "1"\n' >> "$work/user/Cargo.toml"
for crate in $crates; do echo "$crate = \"0.1\"" >> "$work/all/Cargo.toml"; done
echo 'fn main() {}' > "$work/all/src/main.rs"
# The README's Rust program, as it stands there (tests/pages.py compares them).
cp examples/quickstart/embed.rs "$work/user/src/main.rs"
cp examples/quickstart/policy.yaml Cargo.lock "$work/"

cd "$work"
cargo check --quiet --offline --package all --target-dir "$target"
cargo run --quiet --offline --package user --target-dir "$target" > output.txt
cat output.txt
grep -q "allowed" output.txt
grep -q "Single charge cannot exceed" output.txt
