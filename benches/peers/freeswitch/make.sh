#!/usr/bin/env bash
# make.sh AGENTS FOLDER: writes what a FreeSWITCH (1.10) with its usual configuration needs besides into the folder:
# directory/measured.xml, dialplan/public/measured.xml, autoload_configs/callcenter.conf.xml. It must hold none of them.
# In the usual vars.xml set default_password and the domain (`force-register-domain`) as you do; modules needed:
# mod_callcenter, mod_sndfile. Port 5060 with `auth-calls` off for the public profile, 5080 otherwise.
set -euo pipefail
agents=${1:?how many agents}
dir=${2:?where to}
files=(directory/measured.xml dialplan/public/measured.xml autoload_configs/callcenter.conf.xml)
for file in "${files[@]}"; do
    if [ -e "$dir/$file" ]; then
        echo "$dir/$file is there already: give another folder, or move it" >&2
        exit 1
    fi
    mkdir -p "$(dirname "$dir/$file")"
done

{
    printf '<include>\n  <domain name="$${domain}">\n    <users>\n'
    for ((n = 0; n < agents; n++)); do
        printf '      <user id="agent%d"><params><param name="password" value="secret-of-agent%d"/></params></user>\n' "$n" "$n"
    done
    printf '    </users>\n  </domain>\n</include>\n'
} > "$dir/directory/measured.xml"

{
    cat <<'END'
<configuration name="callcenter.conf" description="a queue for a measurement">
  <settings/>
  <queues>
    <queue name="talk@default">
      <param name="strategy" value="longest-idle-agent"/>
      <param name="moh-sound" value="$${hold_music}"/>
      <param name="tier-rules-apply" value="false"/>
      <param name="max-wait-time" value="0"/>
    </queue>
  </queues>
  <agents>
END
    for ((n = 0; n < agents; n++)); do
        printf '    <agent name="agent%d" type="callback" contact="user/agent%d@$${domain}" status="Available" max-no-answer="3" wrap-up-time="0" reject-delay-time="1" busy-delay-time="1"/>\n' "$n" "$n"
    done
    printf '  </agents>\n  <tiers>\n'
    for ((n = 0; n < agents; n++)); do
        printf '    <tier agent="agent%d" queue="talk@default" level="1" position="1"/>\n' "$n"
    done
    printf '  </tiers>\n</configuration>\n'
} > "$dir/autoload_configs/callcenter.conf.xml"

cat > "$dir/dialplan/public/measured.xml" <<'END'
<include>
  <!-- the question, key 1, the queue, recorded in stereo -->
  <extension name="measured-recorded">
    <condition field="destination_number" expression="^\+4930100$">
      <action application="answer"/>
      <action application="play_and_get_digits" data="1 1 3 5000 # ivr/ivr-welcome_to_freeswitch.wav silence_stream://250 key 1"/>
      <action application="set" data="RECORD_STEREO=true"/>
      <action application="record_session" data="$${recordings_dir}/${uuid}.wav"/>
      <action application="callcenter" data="talk@default"/>
    </condition>
  </extension>
  <!-- relayed only -->
  <extension name="measured-relayed">
    <condition field="destination_number" expression="^\+4930101$">
      <action application="answer"/>
      <action application="callcenter" data="talk@default"/>
    </condition>
  </extension>
  <!-- set-ups -->
  <extension name="measured-setup">
    <condition field="destination_number" expression="^\+4930199$">
      <action application="answer"/>
      <action application="playback" data="ivr/ivr-welcome_to_freeswitch.wav"/>
    </condition>
  </extension>
</include>
END
echo "freeswitch: $agents agents in $dir"
