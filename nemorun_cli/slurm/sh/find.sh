# Says: known ID; none; or, if nobody can say now, busy or silent. With final=1, a job that is `none`
# can never be submitted any more, and its secrets are gone.
[ "$final" = 0 ] || mkdir -p "$folder/$key" || say silent
cd "$folder" 2>/dev/null || say none
if last_turn "$key"; then
    [ "$host" != void ] || say none
    ! held "$key" || say busy
    known "$key"
    case $? in
        0) say known "$id" ;;
        2) say silent ;;
    esac
fi
[ "$final" = 1 ] || say none
make "$key" "token.$((turn + 1))" void || say busy
rm -f "$key/secrets"
say none
