// A node's firewall: what iptables(8) and ip6tables(8) have, with what it counts. Rules are edited in one line, as iptables
// takes them.
import { useMemo, useState } from 'react';
import { countersAt, firewallRows, packetsOf, readRuleLine, rulesEdit, summaryOf } from '../model/firewall';
import { labelOf, type Node } from '../model/lab';
import { parseRule } from '../model/rule';
import * as shell from '../model/shell';
import { suggestRules } from '../model/suggest';
import { edit } from '../session/actions';
import { useLab, useView } from '../session/stores';
import { canvasView } from '../session/viewport';
import type { Lab, Firewall as Live } from '../wire/types.gen';
import { EditableValue } from './Editable';
import { RuleList } from './RuleList';

export function Firewall({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const live = useLab((s) => s.firewalls[node.id]);
	const shown = useView((v) => v.firewall);
	const [opened, setOpened] = useState<string>();
	const [ipv6, setIPv6] = useState(() => !node.iptables?.length && (node.ip6tables?.length ?? 0) > 0);
	const four = useMemo(() => firewallRows(node, live, false), [node, live]);
	const six = useMemo(() => firewallRows(node, live, true), [node, live]);
	const rows = ipv6 ? six : four;
	// It stays open from node to node where there is something to read, and does not cover the picture for nothing; nor while
	// one looks at the node, and types its first rule.
	const hasRules = [...four, ...six].some((r) => r.kind === 'rule');
	const [met, setMet] = useState({ node: node.id, hasRules });
	if (met.node !== node.id) setMet({ node: node.id, hasRules });
	const open = shown && (opened === node.id || (met.node === node.id ? met.hasRules : hasRules));
	if (open && opened !== node.id) setOpened(node.id); // and stays when the last rule goes
	const packets = () => packetsOf(rows, countersAt(useLab.getState().counters[node.id], ipv6));
	const [start, setStart] = useState({ ipv6, packets: packets() });
	if (open && start.ipv6 !== ipv6) setStart({ ipv6, packets: packets() });
	const toggle = () => {
		setStart({ ipv6, packets: packets() });
		setOpened(open ? undefined : node.id);
		useView.setState({ firewall: !open });
		requestAnimationFrame(() => canvasView.reveal(node.id)); // beside an inspector that is wider now
	};
	return (
		<section
			className={`inspector-part firewall ${open ? 'is-open' : ''}`}
			aria-label="Firewall"
			data-testid="firewall"
		>
			<h3>
				<button type="button" className="fold" aria-expanded={open} data-testid="firewall-fold" onClick={toggle}>
					Firewall
				</button>
				{open && (
					<>
						<span className="families">
							{[false, true].map((six) => (
								<button
									key={String(six)}
									type="button"
									aria-pressed={ipv6 === six}
									data-testid={six ? 'firewall-ipv6' : 'firewall-ipv4'}
									onClick={() => setIPv6(six)}
								>
									{six ? 'IPv6' : 'IPv4'}
								</button>
							))}
						</span>
						<button
							type="button"
							className="zero"
							title="Count Δ from here on; the kernel's own counters stay as they are"
							data-testid="zero-delta"
							onClick={() => setStart({ ipv6, packets: packets() })}
						>
							Zero Δ
						</button>
					</>
				)}
			</h3>
			{open ? (
				<>
					<RuleList lab={lab} node={node} ipv6={ipv6} rows={rows} start={start.packets} />
					<NewRule lab={lab} node={node} ipv6={ipv6} added={setIPv6} />
				</>
			) : (
				<p className="small">
					{summaryOf(four)}
					{six.some((r) => r.kind === 'rule') && `; IPv6: ${summaryOf(six)}`}
					{live?.native && '; rules of nft'}
				</p>
			)}
			{open && live && <Native live={live} />}
		</section>
	);
}

function NewRule({ lab, node, ipv6, added }: { lab: Lab; node: Node; ipv6: boolean; added: (ipv6: boolean) => void }) {
	const offers = useMemo(() => (ipv6 ? [] : suggestRules(lab, node.id)), [lab, node.id, ipv6]);
	return (
		<div className="new-rule">
			<EditableValue
				label={`New rule of ${labelOf(lab, node.id)}, as iptables takes it`}
				value=""
				placeholder="add a rule: -t nat -A POSTROUTING -o eth0 -j MASQUERADE"
				testid="add-rule"
				offers={offers}
				check={(line) => line.trim() === '' || parseRule(readRuleLine(line).text)}
				command={(line) => {
					const said = readRuleLine(line);
					return shell.iptables(lab, node.id, said.ipv6 ?? ipv6, [said.text]);
				}}
				apply={(line, outcome) => {
					const said = readRuleLine(line);
					const family = said.ipv6 ?? ipv6;
					const done = () => {
						added(family);
						outcome.done?.();
					};
					return edit(rulesEdit(node.id, family, [said.text.trim()]), { ...outcome, done });
				}}
			/>
		</div>
	);
}

/** What nft(8) has made and iptables has no words for. */
function Native({ live }: { live: Live }) {
	if (!live.native) return null;
	const tables = live.tables ?? 0;
	return (
		<div className="native" data-testid="firewall-native">
			<h4>
				{tables === 1 ? 'A table' : tables > 1 ? `${tables} tables` : 'Rules'} of nft
				<span className="unsaved-chip" title="the lab's file has no words for it: it is gone when the lab stops">
					not saved
				</span>
			</h4>
			{/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and has nothing else that takes the keys */}
			<section className="native-text" tabIndex={0} aria-label="As nft list ruleset prints it">
				<pre className="mono">{live.native}</pre>
			</section>
		</div>
	);
}
