// What is selected, live: interfaces, routes, neighbours. Values are edited in place, with the command that will run.
import { useMemo } from 'react';
import { kinds } from '../model/kinds';
import { hasMAC, type Interface, interfacesOf, isSaved, labelOf, linkState, type Node, switchID } from '../model/lab';
import { canonicalMAC, checkAlias, checkInterfaceName, checkMTU } from '../model/names';
import * as shell from '../model/shell';
import { holderOf, isBridge, shapes, thingOf } from '../model/things';
import { deleteThings, edit, select } from '../session/actions';
import { useLab, useView } from '../session/stores';
import { openTerminal } from '../session/terminals';
import { Conntrack } from './Conntrack';
import { Container } from './Container';
import { AddressLine, EditableValue } from './Editable';
import { Firewall } from './Firewall';
import { Impair, Master, Options, Ports, VLANs } from './LinkParts';
import { Neighbours } from './Neighbours';
import { Notes } from './Notes';
import { Outside } from './Outside';
import { Routes } from './Routes';
import { Settings } from './Settings';
import { Services, Sockets } from './Sockets';
import { SwitchPort, SwitchTables } from './SwitchParts';

export function Inspector() {
	const open = useView((v) => v.inspector);
	const subject = useView((v) => {
		const { lab } = useLab.getState();
		const [only, ...rest] = v.selection;
		if (only === undefined || rest.length > 0) return undefined;
		return lab.nodes[only] || lab.cables[only] || lab.interfaces[only] ? only : undefined;
	});
	const many = useView((v) => v.selection.size);
	if (!open || many === 0) return null;
	return (
		<aside className="inspector" id="inspector" aria-label="Inspector" data-testid="inspector">
			{subject ? <Subject key={subject} id={subject} /> : <Many count={many} />}
		</aside>
	);
}

function Many({ count }: { count: number }) {
	return (
		<div className="inspector-part">
			<h2>{count} selected</h2>
			<button type="button" onClick={() => deleteThings([...useView.getState().selection])}>
				Delete
			</button>
		</div>
	);
}

function Subject({ id }: { id: string }) {
	const node = useLab((s) => s.lab.nodes[id]);
	const cable = useLab((s) => s.lab.cables[id]);
	const i = useLab((s) => s.lab.interfaces[id]);
	if (node) return <NodeInspector node={node} />;
	if (cable) {
		return (
			<>
				<div className="inspector-part">
					<h2>Cable</h2>
					<p className="small">a veth pair: what enters one end leaves the other</p>
				</div>
				<Notes id={id} />
				{cable.ends.map((end) => (
					<InterfacePart key={end} id={end} withNode />
				))}
				<Impairments ends={cable.ends} />
				<DeletePart id={id} />
			</>
		);
	}
	if (i) {
		return (
			<>
				<InterfaceHead i={i} />
				<InterfacePart id={id} withNode />
				{isBridge(i.kind) && <BridgePorts id={id} />}
				{i.kind === 'ovs' && <SwitchTables bridge={i} />}
				{i.kind !== 'loopback' && <DeletePart id={id} />}
			</>
		);
	}
	return null;
}

function InterfaceHead({ i }: { i: Interface }) {
	const node = useLab((s) => labelOf(s.lab, i.node));
	return (
		<div className="inspector-part">
			<h2>{isBridge(i.kind) ? i.name : `${node}:${i.name}`}</h2>
			<p className="small">
				{isBridge(i.kind) ? `${shapes[i.kind].title} in ${node}` : `interface of ${node}`}
				{i.kind === 'ovs' && ': a switch whose datapath is a process of its machine'}
			</p>
		</div>
	);
}

/** Both directions of a cable. */
function Impairments({ ends }: { ends: readonly [string, string] }) {
	const lab = useLab((s) => s.lab);
	return ends.map((end, at) => {
		const [i, peer] = [lab.interfaces[end], lab.interfaces[ends[1 - at] ?? '']];
		if (!i || !peer) return null;
		const towards = thingOf(lab, holderOf(lab, peer))?.name ?? '?';
		return <Impair key={end} lab={lab} i={i} towards={towards} />;
	});
}

function BridgePorts({ id }: { id: string }) {
	const lab = useLab((s) => s.lab);
	const bridge = lab.interfaces[id];
	return bridge ? <Ports lab={lab} bridge={bridge} /> : null;
}

function DeletePart({ id }: { id: string }) {
	return (
		<div className="inspector-part">
			<button type="button" onClick={() => deleteThings([id])}>
				Delete
			</button>
		</div>
	);
}

function NodeInspector({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const running = useLab((s) => s.status.state === 'running');
	const state = useLab((s) => s.nodeStates[node.id]);
	const interfaces = useMemo(() => interfacesOf(lab, node.id), [lab, node.id]);
	const machine = node.in ? lab.nodes[node.in]?.name : undefined;
	const { runs, title } = kinds[node.kind];
	const what = node.kind === 'namespace' ? 'network namespace' : title;
	const bridge = node.kind === 'lan' ? lab.interfaces[switchID(node.id)] : undefined;
	return (
		<>
			<div className="inspector-part">
				<h2>{labelOf(lab, node.id)}</h2>
				<p className="small">
					{machine ? `${what} in ${machine}` : what}
					{node.held && `, held by ${node.held}, not saved`}
					{state?.pid ? `, its init is pid ${state.pid}` : ''}
					{node.kind === 'lan' && ': a switch between machines, in none of them'}
					{node.kind === 'internet' && ': the world outside; 8.8.8.8, 1.1.1.1 and example.com answer'}
				</p>
				<p className="inspector-actions">
					{runs && (
						<>
							<button type="button" disabled={!running} onClick={() => openTerminal(node.id)}>
								Terminal
							</button>
							<button
								type="button"
								disabled={!running}
								onClick={() =>
									useView.setState((v) => ({ probeFrom: node.id, dock: { ...v.dock, open: true, tab: 'probes' } }))
								}
							>
								Ping
							</button>
						</>
					)}
					<button type="button" onClick={() => useView.setState({ renaming: node.id })}>
						Rename
					</button>
					<button type="button" onClick={() => deleteThings([node.id])}>
						Delete
					</button>
				</p>
			</div>
			<Notes id={node.id} />
			{bridge && <Ports lab={lab} bridge={bridge} />}
			{bridge && (
				<section className="inspector-part" aria-label="The switch">
					<Options lab={lab} i={bridge} />
				</section>
			)}
			{node.kind === 'container' && <Container node={node} />}
			{runs && (
				<>
					<Routes node={node} />
					<Settings key={node.id} node={node} />
					<Firewall key={`firewall ${node.id}`} node={node} />
				</>
			)}
			{node.kind === 'internet' && <Outside node={node} />}
			{!bridge && interfaces.map((i) => <InterfacePart key={i.id} id={i.id} />)}
			{runs && <Services node={node} />}
			{runs && state && (
				<>
					<Sockets key={`sockets ${node.id}`} node={node.id} />
					<Conntrack key={`conntrack ${node.id}`} node={node.id} />
				</>
			)}
			{runs && <Neighbours key={`neighbours ${node.id}`} node={node} />}
			{runs && !state && (
				<p className="inspector-part small">
					{running
						? 'Neighbours, sockets and tracked connections come from the kernel.'
						: 'Neighbours, sockets, tracked connections, and routes that nobody has written, are the kernel’s: start the lab to see them.'}
				</p>
			)}
		</>
	);
}

function InterfacePart({ id, withNode = false }: { id: string; withNode?: boolean }) {
	const i = useLab((s) => s.lab.interfaces[id]);
	const link = useLab((s) => s.links[id]);
	const running = useLab((s) => s.status.state === 'running');
	const node = useLab((s) => (i ? labelOf(s.lab, i.node) : ''));
	const lab = useLab((s) => s.lab);
	const shown = useShownAddresses(i);
	if (!i) return null;
	const state = linkState(i, link, running);
	const loopback = i.kind === 'loopback';
	return (
		<section className="inspector-part" aria-label={`Interface ${i.name}`} data-testid={`interface-${node}-${i.name}`}>
			<h3>
				{withNode && (
					<button type="button" className="plain" onClick={() => select([i.node])}>
						{node}:
					</button>
				)}
				{loopback ? (
					<span className="mono">{i.name}</span>
				) : (
					<EditableValue
						label={`Name of ${i.name}`}
						value={i.name}
						check={checkInterfaceName}
						command={(text) => shell.rename(lab, i, text)}
						apply={(name, outcome) => edit([{ updateInterface: { id, name } }], outcome)}
					/>
				)}
				{!isSaved(i) && <span className="unsaved-chip">not saved</span>}
				<button
					type="button"
					className={`state-button is-${state.replace(' ', '-')}`}
					title={shell.setUp(lab, i, !i.up)}
					aria-label={`${i.name} is ${state}; take it ${i.up ? 'down' : 'up'}`}
					onClick={() => edit([{ updateInterface: { id, up: !i.up } }])}
				>
					{state}
				</button>
			</h3>
			<dl>
				{hasMAC(i) && (
					<>
						<dt>MAC</dt>
						<dd>
							<EditableValue
								label={`MAC of ${i.name}`}
								value={i.mac ?? ''}
								placeholder="derived"
								check={(text) => canonicalMAC(text)}
								command={(text) => shell.setMAC(lab, i, text)}
								apply={(mac, outcome) => edit([{ updateInterface: { id, mac } }], outcome)}
							/>
						</dd>
					</>
				)}
				{!loopback && (
					<>
						<dt>MTU</dt>
						<dd>
							<EditableValue
								label={`MTU of ${i.name}, bytes`}
								value={String(i.mtu)}
								check={(text) => checkMTU(Number(text))}
								command={(text) => shell.setMTU(lab, i, text)}
								apply={(text, outcome) => edit([{ updateInterface: { id, mtu: Number(text) } }], outcome)}
							/>
						</dd>
					</>
				)}
				<dt>Alias</dt>
				<dd>
					<EditableValue
						label={`Alias of ${i.name}`}
						value={i.alias ?? ''}
						placeholder="none"
						testid={`alias-${i.name}`}
						check={checkAlias}
						command={(text) => shell.setAlias(lab, i, text)}
						apply={(alias, outcome) => edit([{ updateInterface: { id, alias } }], outcome)}
					/>
				</dd>
				<Master lab={lab} i={i} />
				<VLANs lab={lab} i={i} />
				<SwitchPort lab={lab} i={i} />
				<dt>{i.kind}</dt>
				<dd className="mono small">
					{lab.interfaces[i.parent ?? ''] && `on ${lab.interfaces[i.parent ?? '']?.name}, `}
					{link ? `index ${link.index}, state ${link.operState}` : 'not in the kernel'}
				</dd>
			</dl>
			<Options lab={lab} i={i} />
			<ul className="addresses">
				{shown.map((a) => (
					<AddressLine key={a.address} lab={lab} iface={i} address={a.address} readOnly={a.readOnly} />
				))}
				<AddressLine lab={lab} iface={i} />
			</ul>
		</section>
	);
}

function useShownAddresses(i: Interface | undefined): { address: string; readOnly?: string }[] {
	const link = useLab((s) => (i ? s.links[i.id] : undefined));
	return useMemo(() => {
		if (!i) return [];
		const own = i.addresses.map((address) => ({ address }));
		const extra = (link?.addresses ?? []).flatMap(({ address, peer, kernel }) => {
			if (peer) return [{ address: `${address} peer ${peer}`, readOnly: 'not saved' }];
			return kernel && !i.addresses.includes(address) ? [{ address, readOnly: 'kernel' }] : [];
		});
		return [...own, ...extra];
	}, [i, link]);
}
