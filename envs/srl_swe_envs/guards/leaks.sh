# Lists copies of a package that lie outside the task's work tree; changes nothing.
# $1: the work tree; $2: the package's import name, or empty. Prints "leak KIND PATH" lines, at most 20 of a kind, and
# "searched" at the end.
set -u
workdir=$1
package=$2
say() { sed -n "1,20s/^/leak $1 /p"; }
outside() { grep -v -e "^$workdir/" -e '^/proc/' -e '^/sys/' -e '^/\.srl-swe/'; }
everywhere() { find / \( -path /proc -o -path /sys -o -path /dev -o -path "$workdir" -o -path /.srl-swe \) -prune -o "$@"; }

everywhere -type d \( -path '*/.cache/pip' -o -path '*/.cache/uv' -o -path '*/.cache/pypoetry' -o -path '*/conda*/pkgs' \) \
    -print 2>/dev/null | while IFS= read -r cache; do
    [ -z "$(find "$cache" -type f 2>/dev/null | head -n 1)" ] || echo "$cache"
done | say package_cache
everywhere -type d -name objects -print 2>/dev/null | while IFS= read -r objects; do
    repository=$(dirname "$objects")
    if [ -f "$repository/HEAD" ] && [ -d "$repository/refs" ]; then echo "$repository"; fi
done | say other_repository
if [ -n "$package" ]; then
    everywhere \( -type d -name "$package" -o -type f -name "$package.py" \) -print 2>/dev/null | while IFS= read -r place; do
        case $place in
        *.py) ;;
        *) [ -n "$(find "$place" -maxdepth 1 -name '*.py' 2>/dev/null | head -n 1)" ] || continue ;;
        esac
        case $place in
        */_vendor/* | */vendor/* | */_vendored/* | */packages/*) echo "vendored_copy $place" ;;
        *) echo "installed_copy $place" ;;
        esac
    done >/tmp/.leaks.$$
    sed -n 's/^vendored_copy //p' /tmp/.leaks.$$ | outside | say vendored_copy
    sed -n 's/^installed_copy //p' /tmp/.leaks.$$ | outside | say installed_copy
    rm -f /tmp/.leaks.$$
    dashed=$(printf '%s' "$package" | tr _ -)
    everywhere -type f \( -iname "$package-[0-9]*.tar.gz" -o -iname "$dashed-[0-9]*.tar.gz" -o -iname "$package-[0-9]*.zip" \
        -o -iname "$package-[0-9]*.whl" -o -iname "$package-[0-9]*.conda" \) -print 2>/dev/null | say archive
    # The names of a wheel's members are not compressed: pip's own wheel carries its vendored packages.
    everywhere -type f -name '*.whl' -print 2>/dev/null | while IFS= read -r wheel; do
        ! grep -qaF "$package/__init__.py" "$wheel" || echo "$wheel"
    done | say archive
fi
echo searched
