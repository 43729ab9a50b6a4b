// A port of labengine/rule.go: rules as iptables(8) takes them, with the same words for what is refused. Page and engine are
// held to each other by labengine/testdata/wiring.json.
import { byteLength } from './names';
import { nearest, refuse, shown } from './problem';

export interface Rule {
	table: string;
	/** -A, -I, -R, -D, -P, -N, -X or -F. */
	verb: string;
	/** Of -F, '' is every chain of the table. */
	chain: string;
	/** Of -I, -R and -D: the place in the chain, from 1; 0 is not said. */
	number: number;
	/** Matches and target, or the policy of -P. */
	args: string[];
}

/** The chains that each table has without anybody's doing, in the order in which a packet meets them. */
export const builtinChains: Readonly<Record<string, readonly string[]>> = {
	filter: ['INPUT', 'FORWARD', 'OUTPUT'],
	nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
	mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
	raw: ['PREROUTING', 'OUTPUT'],
	security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

const tables = ['filter', 'nat', 'mangle', 'raw', 'security'];

export function isBuiltin(table: string, chain: string): boolean {
	return builtinChains[table]?.includes(chain) ?? false;
}

const maxRule = 4000; // bytes
const maxRuleWord = 1000;
const maxChain = 28;
export const exampleRule = 'write it as -A FORWARD -i eth0 -j ACCEPT, or -t nat -A POSTROUTING -o eth0 -j MASQUERADE';

const bad = (message: string, hint = ''): never =>
	refuse('bad-value', message, hint ? { field: 'rule', hint } : { field: 'rule' });

/** The commands that change rules, by the ways in which they are written. */
const verbs: Readonly<Record<string, string>> = {
	'-A': '-A',
	'--append': '-A',
	'-I': '-I',
	'--insert': '-I',
	'-R': '-R',
	'--replace': '-R',
	'-D': '-D',
	'--delete': '-D',
	'-P': '-P',
	'--policy': '-P',
	'-N': '-N',
	'--new-chain': '-N',
	'-X': '-X',
	'--delete-chain': '-X',
	'-F': '-F',
	'--flush': '-F',
};

const inInspector = 'the inspector lists the rules';
const inTerminal = 'type it in a terminal';
const anew = 'make a chain of the new name, and delete the old one';
const ownList = 'IPv6 has a list of its own';
const counts = 'the kernel counts by itself';
const leave = 'leave it out';

/** Words of iptables(8) that are no part of a rule, with what to do instead. */
const foreign: Readonly<Record<string, string>> = {
	'-L': inInspector,
	'--list': inInspector,
	'-S': inInspector,
	'--list-rules': inInspector,
	'-C': inInspector,
	'--check': inInspector,
	'-Z': inTerminal,
	'--zero': inTerminal,
	'-E': anew,
	'--rename-chain': anew,
	'-h': '',
	'--help': '',
	'-V': '',
	'--version': '',
	'-4': ownList,
	'--ipv4': ownList,
	'-6': ownList,
	'--ipv6': ownList,
	'-c': counts,
	'--set-counters': counts,
	'-w': leave,
	'--wait': leave,
	'-n': leave,
	'-v': leave,
	'-x': leave,
	'--line-numbers': leave,
};

/** Reads a rule, without the program's name. What its words mean beyond command, table and chain is iptables' to say. */
export function parseRule(text: string): Rule {
	const words = shellWords(text);
	const bytes = byteLength(text);
	if (bytes > maxRule) bad(`a rule has at most ${maxRule} bytes; this one has ${bytes}`);
	const [first] = words;
	if (first === undefined) return bad('a rule says what to match and what to do', exampleRule);
	if (first === 'iptables' || first === 'ip6tables' || first === 'sudo') {
		bad("a rule is written without the program's name", `leave ${first} out`);
	}
	const r: Rule = { table: 'filter', verb: '', chain: '', number: 0, args: [] };
	for (let at = 0; at < words.length; at++) {
		const word = words[at] ?? '';
		checkWord(word);
		let table = word.startsWith('--table=') ? word.slice('--table='.length) : undefined;
		if (word === '-t' || word === '--table') {
			at++;
			table = words[at] ?? bad(`\`${word}\` is followed by a table`);
		}
		if (table !== undefined) {
			if (!Object.hasOwn(builtinChains, table)) {
				const near = nearest(table, tables);
				const hint = 'the tables are filter, nat and mangle, raw and security';
				bad(`there is no table ${shown(table)}`, near ? `did you mean ${near}?` : hint);
			}
			r.table = table;
			continue;
		}
		const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined;
		if (verb === undefined) {
			r.args.push(word);
			continue;
		}
		if (r.verb !== '') bad(`\`${r.verb}\` and \`${word}\` are two commands`, 'make two rules of it');
		r.verb = verb;
		const next = words[at + 1];
		if (next !== undefined && !next.startsWith('-')) {
			at++;
			r.chain = next;
			checkWord(next);
		}
		const number = words[at + 1];
		if ((verb === '-I' || verb === '-R' || verb === '-D') && number !== undefined && /^0*[1-9]\d{0,17}$/.test(number)) {
			at++;
			r.number = Number(number);
		}
	}
	check(r);
	return r;
}

/** Refuses a rule whose shape cannot be. */
function check(r: Rule): void {
	const [first] = r.args;
	if (r.verb === '') {
		const hint = r.args.findLast((word) => foreign[word]);
		bad('a rule needs a command: -A, -I, -R, -D, -P, -N, -X or -F', (hint && foreign[hint]) || exampleRule);
	}
	if (first !== undefined && r.verb !== '-P' && first !== '!' && !first.startsWith('-')) {
		bad(`a rule has no word ${shown(first)} here`, exampleRule);
	}
	r.args.forEach((word, i) => {
		const instead = Object.hasOwn(foreign, word) ? foreign[word] : undefined;
		if (instead !== undefined) bad(`\`${word}\` does not belong into a rule here`, instead);
		const value = r.args[i + 1];
		if (value === undefined || !addressOptions.includes(word)) return;
		if (value.includes(',')) bad(`iptables makes several rules of ${shown(value)}`, 'write one rule for each');
		if (!/^[.:/!]*$/.test(value.replaceAll(/[\da-fA-F]/g, ''))) {
			const hint = 'write its address: a name would be looked up once, when the rule is made';
			bad(`${shown(value)} is not an address`, hint);
		}
	});
	if (r.chain !== '' || r.verb !== '-F') checkChain(r.chain);
	const own = !isBuiltin(r.table, r.chain);
	switch (r.verb) {
		case '-P':
			if (own) {
				const have = `${(builtinChains[r.table] ?? []).join(', ')} have one`;
				bad(`${shown(r.chain)} has no policy: it is no built-in chain of table ${r.table}`, have);
			}
			if (r.args.length !== 1 || (first !== 'ACCEPT' && first !== 'DROP')) {
				bad('a policy is ACCEPT or DROP', `write it as -P ${r.chain} DROP`);
			}
			break;
		case '-N':
		case '-X':
			if (r.args.length > 0) bad(`\`${r.verb}\` takes a chain's name and no more`);
			if (!own) bad(`table ${r.table} has ${shown(r.chain)} by itself`, 'choose another name');
			break;
		case '-F':
			if (r.args.length > 0) bad("`-F` takes a chain's name and no more");
			break;
		case '-R':
			if (r.number === 0) bad("`-R` takes a chain and the rule's number", 'write it as -R FORWARD 1 …');
			break;
		case '-D':
			if ((r.number === 0) === (r.args.length === 0)) {
				bad("`-D` takes a chain, and the rule's number or the rule itself", 'write it as -D FORWARD 1');
			}
	}
}

const addressOptions = ['-s', '--source', '--src', '-d', '--destination', '--dst'];

function checkChain(name: string): void {
	if (name === '') bad('a rule names its chain', exampleRule);
	if (byteLength(name) > maxChain) {
		const size = `is ${byteLength(name)} bytes; a chain's name has at most ${maxChain}`;
		bad(`${shown(name)} ${size}`, 'choose a shorter one');
	}
	if (/^[-!]/.test(name)) bad(`${shown(name)} is no name for a chain`);
	if (/[ \t"'\\:]/.test(name)) bad(`${shown(name)} has a space, a colon or a quote in it: it is no name for a chain`);
	if (['ACCEPT', 'DROP', 'RETURN', 'QUEUE'].includes(name)) {
		bad(`${shown(name)} is what happens to a packet, not a chain`, 'choose another name');
	}
}

const takesValue = 'ACDRILSFZNXEPopsdjimgtcwWh'; // the letters behind which the rest of a word is a value

/** Refuses what would have iptables(8) do something else than change a rule: `--modprobe` names a program to run. */
function checkWord(word: string): void {
	const bytes = byteLength(word);
	if (bytes > maxRuleWord) bad(`a word of a rule has at most ${maxRuleWord} bytes; ${shown(word)} has ${bytes}`);
	const long = word.split('=', 1)[0] ?? '';
	let modprobe = long.length > 2 && '--modprobe'.startsWith(long);
	if (/^-[^-]/.test(word)) {
		for (const letter of word.slice(1)) {
			modprobe = letter === 'M';
			if (modprobe || takesValue.includes(letter)) break;
		}
	}
	if (modprobe) bad(`${shown(word)} is no part of a rule: it names a program to run`, 'leave it out');
}

/** The rule as it is typed behind iptables, in sh(1). */
export function ruleText(r: Rule): string {
	return [
		...(r.table === 'filter' ? [] : ['-t', r.table]),
		r.verb,
		...(r.chain === '' ? [] : [ruleWord(r.chain)]),
		...(r.number > 0 ? [String(r.number)] : []),
		...r.args.map(ruleWord),
	].join(' ');
}

const plain = /^[A-Za-z0-9\-_./:@,+=]+$/;

/** A word so that sh(1) reads it as it is, and as iptables-save(8) writes it where that is the same. */
function ruleWord(word: string): string {
	if (word === '!' || plain.test(word)) return word;
	return /["\\$`!']/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : `"${word}"`;
}

/** Splits a line as sh(1) does. What sh would do more than split is refused: the line is to mean the same there. */
function shellWords(line: string): string[] {
	const chars = [...line];
	if (chars.some((c) => (c < ' ' && c !== '\t') || c === '\u007f' || c === '\ufffd')) {
		bad("a rule is one line of text; this one has a line's end or a character that cannot be typed in it");
	}
	const words: string[] = [];
	let word = '';
	let inWord = false;
	let quote = '';
	for (let i = 0; i < chars.length; i++) {
		const c = chars[i] ?? '';
		if ((quote === "'" && c !== "'") || (quote === '' && c > '\u007f')) {
			word += c;
			inWord = true;
		} else if (quote === '' && (c === ' ' || c === '\t')) {
			if (inWord) words.push(word);
			word = '';
			inWord = false;
		} else if (c === quote) {
			quote = '';
		} else if (quote === '' && (c === "'" || c === '"')) {
			quote = c;
			inWord = true;
		} else if (c === '\\') {
			i++;
			const next = chars[i] ?? bad('a rule does not end with a backslash');
			if (quote === '"' && !'"\\$`'.includes(next)) word += '\\';
			word += next;
			inWord = true;
		} else if (c === '$' || c === '`' || (quote === '' && (';&|<>()'.includes(c) || (c === '#' && !inWord)))) {
			bad(`a shell would do something with the '${c}' in this rule`, 'put it into single quotes');
		} else {
			word += c;
			inWord = true;
		}
	}
	if (quote !== '') bad('a quote is opened and not closed');
	if (inWord) words.push(word);
	return words;
}
