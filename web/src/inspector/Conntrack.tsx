// The connections that a node tracks, conntrack(8): of each what its first packet said and, where NAT has been at work, what
// its replies say.
import { useMemo } from 'react';
import { type FlowRow, flowRows } from '../model/flow';
import { useLab } from '../session/stores';
import { useChanging } from './useChanging';

export function Conntrack({ node }: { node: string }) {
	const tracked = useLab((s) => s.conntrack[node]);
	const list = useMemo(() => flowRows(tracked?.flows ?? []), [tracked]);
	const rows = useChanging(list, (r) => r.key, stateOf);
	const count = tracked?.count ?? 0;
	return (
		<section className="inspector-part" aria-label="Tracked connections" data-testid="conntrack">
			<h3>
				Tracked connections <span className="small">conntrack</span>
			</h3>
			{count > list.length && (
				<p className="small">
					{list.length} of {count.toLocaleString('en')}
				</p>
			)}
			<ul className="live-rows flows">
				{rows.map((r) => (
					<li key={r.key} className={r.className} data-testid="flow">
						<FlowLines flow={r.value} sign={r.sign} />
					</li>
				))}
			</ul>
			{rows.length === 0 && <p className="small mono">none</p>}
		</section>
	);
}

/** What washes a row: its timeout only ticks. */
const stateOf = (r: FlowRow) => `${r.what} ${r.unseen} ${r.replyFrom} ${r.replyTo}`;

function FlowLines({ flow: f, sign }: { flow: FlowRow; sign: string }) {
	const nat = f.source || f.destination;
	return (
		<>
			<span className="flow-head small">
				<span>
					{sign}
					{f.what}
					{f.unseen && ', no reply yet'}
				</span>
				<span className="count">{f.timeout.toLocaleString('en')} s</span>
			</span>
			<span className="mono">
				<End was={f.source} text={f.from} /> → <End was={f.destination} text={f.to} />
			</span>
			{nat && (
				<span className="mono">
					<span className="small">replies </span>
					<End is={f.destination} text={f.replyFrom} /> → <End is={f.source} text={f.replyTo} />
				</span>
			)}
		</>
	);
}

/** An address that NAT has rewritten, struck, or that it has put in its place, boxed. */
function End({ was = false, is = false, text }: { was?: boolean; is?: boolean; text: string }) {
	if (was) return <del title="rewritten by NAT">{text}</del>;
	if (is) {
		return (
			<ins className="rewritten" title="put there by NAT">
				{text}
			</ins>
		);
	}
	return text;
}
