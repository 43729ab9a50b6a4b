package sandbox

// fixedFiles are the same in each machine.
var fixedFiles = map[string]string{
	"/etc/passwd": `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
tcpdump:x:101:101::/nonexistent:/usr/sbin/nologin
dnsmasq:x:102:65534:dnsmasq:/var/lib/misc:/usr/sbin/nologin
sshd:x:103:65534::/run/sshd:/usr/sbin/nologin
openvswitch:x:104:104::/nonexistent:/usr/sbin/nologin
iperf3:x:105:105::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`,
	"/etc/group": `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
mail:x:8:
www-data:x:33:
utmp:x:43:
tcpdump:x:101:
openvswitch:x:104:
iperf3:x:105:
nogroup:x:65534:
`,
	"/etc/nsswitch.conf": `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
`,
	"/etc/shells":   "/bin/sh\n/bin/bash\n",
	"/etc/networks": "default 0.0.0.0\nloopback 127.0.0.0\nlink-local 169.254.0.0\n",
	"/etc/inputrc": `set meta-flag on
set input-meta on
set convert-meta off
set output-meta on
set bell-style none
set enable-bracketed-paste off
"\e[1~": beginning-of-line
"\e[4~": end-of-line
"\e[3~": delete-char
"\e[1;5C": forward-word
"\e[1;5D": backward-word
`,
	"/etc/sysctl.conf": "# Settings made with sysctl -w hold for this machine, until it ends.\n",
	"/etc/bash.bashrc": bashrc,
}

// bashrc sets the prompt, and marks prompts and commands for the page with OSC 633: A where a prompt begins, B where
// it ends, E with the command line, C where its output begins, D with its exit status. The node's name and colour come
// as VETHLAB_NODE and VETHLAB_COLOR ("1;31", the inside of an SGR sequence). Both names follow when somebody renames the node:
// bash looks at its hostname once, and at the namespace's name never. No program is started for it.
const bashrc = `case $- in *i*) ;; *) return ;; esac
[ -n "$__vethlab" ] && return
__vethlab=1

HISTFILE=~/.bash_history HISTSIZE=5000 HISTFILESIZE=5000 HISTCONTROL=
shopt -s histappend checkwinsize
alias ls='ls --color=auto' ll='ls -l --color=auto' grep='grep --color=auto' ip='ip -color=auto'

__vethlab_command() {
	local line
	line=$(HISTTIMEFORMAT= builtin history 1)
	line=${line#"${line%%[![:space:]]*}"}
	line=${line#"${line%%[![:digit:]]*}"}
	line=${line#"${line%%[![:space:]]*}"}
	line=${line//\\/\\\\}
	line=${line//;/\\x3b}
	line=${line//$'\n'/\\x0a}
	printf '\e]633;E;%s\a\e]633;C\a' "${line//[[:cntrl:]]/}"
}
__vethlab_prompt() {
	local status=$?
	[ -n "$__vethlab_ran" ] && printf '\e]633;D;%s\a' "$status"
	__vethlab_ran=
	__vethlab_names
	return $status
}
__vethlab_names() {
	local name
	read -r name 2>/dev/null </proc/sys/kernel/hostname && HOSTNAME=$name
	[ -n "$VETHLAB_NODE" ] && ! [ "/run/netns/$VETHLAB_NODE" -ef /proc/self/ns/net ] || return
	for name in /run/netns/*; do
		[ "$name" -ef /proc/self/ns/net ] && VETHLAB_NODE=${name##*/} && return
	done
}
__vethlab_x=x
PS0='$(__vethlab_command)${__vethlab_x:0:$((__vethlab_ran=1,0))}'
PROMPT_COMMAND=__vethlab_prompt
if [ -n "$VETHLAB_NODE" ]; then
	__vethlab_node=" \[\e[${VETHLAB_COLOR:-0}m\][\${VETHLAB_NODE//[[:cntrl:]]/}]\[\e[0m\]"
fi
PS1='\[\e]633;A\a\]\u@${HOSTNAME%%.*}'"$__vethlab_node"' \w \$ \[\e]633;B\a\]'

[ -r ~/.bashrc ] && . ~/.bashrc
`
