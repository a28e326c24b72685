#!/usr/bin/env bash
# make.sh AGENTS FOLDER: writes pjsip.conf, queues.conf, extensions.conf and rtp.conf for Asterisk (20 or newer) into
# the folder, which must hold none of them: a server of its own for a measurement.
set -euo pipefail
agents=${1:?how many agents}
dir=${2:?where to}
mkdir -p "$dir"
for file in pjsip queues extensions rtp; do
    if [ -e "$dir/$file.conf" ]; then
        echo "$dir/$file.conf is there already: give another folder" >&2
        exit 1
    fi
done

{
    cat <<'END'
[global]
type=global
user_agent=measured
; agents come from the same machine as callers: by name first
endpoint_identifier_order=username,auth_username,ip

[transport-udp]
type=transport
protocol=udp
bind=0.0.0.0:5060

; callers: whoever comes from this machine and is no agent
[callers]
type=endpoint
context=from-trunk
disallow=all
allow=alaw
direct_media=no
dtmf_mode=rfc4733

[callers]
type=identify
endpoint=callers
match=127.0.0.1/32

; agents register; their contact is what the queue dials
[agent](!)
type=endpoint
context=from-agents
disallow=all
allow=alaw
direct_media=no
dtmf_mode=rfc4733
identify_by=auth_username,username

[agent-aor](!)
type=aor
max_contacts=1
remove_existing=yes

[agent-auth](!)
type=auth
auth_type=digest
END
    for ((n = 0; n < agents; n++)); do
        printf '\n[agent%d](agent)\nauth=auth-agent%d\naors=agent%d\n' "$n" "$n" "$n"
        printf '[agent%d](agent-aor)\n' "$n"
        printf '[auth-agent%d](agent-auth)\nusername=agent%d\npassword=secret-of-agent%d\n' "$n" "$n" "$n"
    done
} > "$dir/pjsip.conf"

{
    printf '[general]\npersistentmembers=no\n\n[talk]\nstrategy=leastrecent\nringinuse=no\nwrapuptime=0\ntimeout=20\nretry=1\n'
    for ((n = 0; n < agents; n++)); do printf 'member => PJSIP/agent%d\n' "$n"; done
} > "$dir/queues.conf"

cat > "$dir/extensions.conf" <<'END'
[from-trunk]
; the question, key 1, the queue, recorded in stereo
exten => +4930100,1,Answer()
 same => n,Read(KEY,demo-congrats,1,,3,5)
 same => n,GotoIf($["${KEY}" != "1"]?done)
 same => n,MixMonitor(${UNIQUEID}.wav,r(${UNIQUEID}-in.wav)t(${UNIQUEID}-out.wav))
 same => n,Queue(talk)
 same => n(done),Hangup()
; relayed only
exten => +4930101,1,Answer()
 same => n,Queue(talk)
 same => n,Hangup()
; set-ups
exten => +4930199,1,Answer()
 same => n,Playback(demo-congrats)
 same => n,Hangup()
END

printf '[general]\nrtpstart=10000\nrtpend=29999\nstrictrtp=yes\n' > "$dir/rtp.conf"
echo "asterisk: $agents agents in $dir"
