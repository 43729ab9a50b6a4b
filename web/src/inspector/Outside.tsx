// Who answers on the internet that a lab has, and what it could answer nobody.
import type { Node } from '../model/lab';
import { useLab } from '../session/stores';
import { publicHosts, publicRouters } from '../wire/types.gen';

export function Outside({ node }: { node: Node }) {
	const dropped = useLab((s) => s.nodeStates[node.id]?.dropped) ?? 0;
	return (
		<section className="inspector-part" aria-label="Who answers" data-testid="outside">
			<p className={dropped > 0 ? 'field-note' : 'small'} data-testid="dropped">
				{dropped.toLocaleString('en')} {dropped === 1 ? 'packet' : 'packets'} dropped: from somebody to whom nobody out
				here knows a way back.
				{dropped > 0 && ' Private addresses need NAT on the way out, or a route in here.'}
			</p>
			<h3>Who answers</h3>
			<p className="small">Ping, and HTTP on port 80; those with ◆ also DNS. Nothing leaves the lab.</p>
			<ul className="live-rows hosts">
				{publicHosts.map((h) => (
					<li key={h.name} data-testid="public-host">
						{h.name}
						{h.resolver && <span title="answers DNS on port 53"> ◆</span>}
						<span className="mono small">{h.addresses.join(' ')}</span>
					</li>
				))}
			</ul>
			<h3>On the way, as traceroute shows it</h3>
			<ol className="live-rows hosts">
				{publicRouters.map((h) => (
					<li key={h.name}>
						{h.name} <span className="mono small">{h.addresses[0]}</span>
					</li>
				))}
			</ol>
		</section>
	);
}
