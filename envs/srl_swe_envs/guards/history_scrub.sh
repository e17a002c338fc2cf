# Removes everything from one git repository that is not the history of its HEAD.
# $1: the repository's work tree. Prints nothing; stops with a message at the first step that fails.
# What stays: HEAD, the branch it is on, and tags of its own past (version numbers are derived from them).
set -eu
cd "$1"
HOME=$(mktemp -d) # a global configuration that trusts the folder whoever owns it, and none of the image's
trap 'rm -rf "$HOME"' EXIT
printf '[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n' >"$HOME/.gitconfig"
export HOME XDG_CONFIG_HOME="$HOME" GIT_TERMINAL_PROMPT=0 GIT_NO_REPLACE_OBJECTS=1 GIT_NO_LAZY_FETCH=1
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES

gitdir=$(git rev-parse --absolute-git-dir)
common=$(cd "$(git rev-parse --git-common-dir)" && pwd -P)
[ "$common" = "$(cd "$gitdir" && pwd -P)" ] || { echo "$1 is a linked worktree: clone it instead" >&2; exit 1; }
head=$(git rev-parse --verify 'HEAD^{commit}')
branch=$(git symbolic-ref -q HEAD || true)

# What is staged is reachable from the index alone; the work tree is left as it is.
git update-index -q --clear-resolve-undo
git diff --cached --quiet || git reset -q --mixed "$head"
# Operations in progress, and every name that git or a person can follow to another commit.
find "$gitdir" -maxdepth 1 -name '*_HEAD' -exec rm -f {} +
rm -rf "$gitdir"/rebase-merge "$gitdir"/rebase-apply "$gitdir"/sequencer "$gitdir"/BISECT_* "$gitdir"/AUTO_MERGE \
    "$gitdir"/MERGE_* "$gitdir"/SQUASH_MSG "$gitdir"/COMMIT_EDITMSG "$gitdir"/rr-cache "$gitdir"/lost-found \
    "$gitdir"/worktrees "$gitdir"/logs "$gitdir"/info/grafts "$gitdir"/info/refs
for remote in $(git remote); do
    git remote remove "$remote"
done
git tag --merged "$head" | sed 's#^#refs/tags/#' >"$HOME/past_tags"
git for-each-ref --format='%(refname)' | while IFS= read -r ref; do
    [ "$ref" = "$branch" ] || grep -qxF -e "$ref" "$HOME/past_tags" || git update-ref --no-deref -d "$ref"
done
[ -z "$branch" ] || git symbolic-ref HEAD "$branch"
rm -rf "$gitdir"/logs # deleting refs may write it again

# Objects: borrowed ones are copied in by the repack, unreachable ones are left out of it.
find "$gitdir/objects" \( -name '*.keep' -o -name 'tmp_*' \) -exec rm -f {} +
rm -rf "$gitdir"/objects/info/commit-graph "$gitdir"/objects/info/commit-graphs "$gitdir"/objects/pack/multi-pack-index*
git repack -a -d -q
rm -f "$gitdir"/objects/info/alternates "$gitdir"/objects/info/http-alternates
git prune --expire=now
git prune-packed -q
