# Says: known ID; none; or, if nobody can say now, busy or silent. With final=1, a job that is `none`
# can never be submitted any more.
if [ "$final" = 1 ]; then
    mkdir -p "$folder/$key" && cd "$folder" || say silent
    ! take "$key" void || say none
else
    cd "$folder/$key/.." 2>/dev/null || say none
    [ -e "$key/token" ] || say none
fi
read -r holder pid whose <"$key/token"
[ "$holder" != void ] || say none
! held "$key" || say busy
id=$(known "$key")
case $? in
    0) say known "$id" ;;
    1) say none ;;
    *) say silent ;;
esac
