// Bridges and LANs: bars with jacks along both long sides. A bridge's own address is on it, for its machine is in the
// bridge's network as well.
import { memo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { linkState, switchID } from '../model/lab';
import { barAddress } from '../model/sizes';
import { thingOf } from '../model/things';
import { useLab, useView } from '../session/stores';
import { useSpoken } from './Canvas';
import { Edges, Marks, Name, useNodeClasses } from './Nodes';

const stateWords = {
	up: undefined,
	down: 'down',
	'no carrier': undefined,
	'no program': undefined,
	unknown: undefined,
} as const;

export const BarNode = memo(function BarNode({ id }: { id: string }) {
	const thing = useLab(useShallow((s) => thingOf(s.lab, id)));
	const isLAN = thing?.shape === 'lan';
	const bridge = isLAN ? switchID(id) : id;
	const addresses = useLab((s) => s.lab.interfaces[bridge]?.addresses);
	const state = useLab((s) => {
		const i = s.lab.interfaces[bridge];
		return i ? linkState(i, s.links[bridge], s.status.state === 'running') : 'unknown';
	});
	const withAddress = useView((v) => v.labels >= 2);
	const classes = useNodeClasses(id);
	const label = useSpoken(id);
	if (!thing) return null;
	const down = stateWords[state];
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group on the canvas, not a set of form fields
		<div
			id={`item-${id}`}
			role="group"
			aria-label={label}
			data-testid={`node-${thing.name}`}
			data-id={id}
			data-state={state}
			className={`bar ${thing.shape} ${down ? 'is-down' : ''} ${classes}`}
		>
			<Name thing={thing} />
			{thing.shape === 'ovs' && (
				<>
					<span className="bar-shape" aria-hidden="true" />
					<span className="bar-kind">OVS</span>
				</>
			)}
			{withAddress && addresses && addresses.length > 0 && <span className="bar-address">{barAddress(addresses)}</span>}
			{down && <span className="bar-state">{down}</span>}
			<Edges id={id} name={thing.name} />
			<Marks id={id} />
		</div>
	);
});
