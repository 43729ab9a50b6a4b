import { Command as Menu } from 'cmdk';
import { Dialog } from 'radix-ui';
import { commands, keyText } from '../commands/commands';
import { labelOf, nodesInOrder } from '../model/lab';
import { show } from '../session/actions';
import { useLab, useView } from '../session/stores';
import { canvasView } from '../session/viewport';

const groups = ['Draw', 'Edit', 'Select', 'View', 'Terminals', 'Lab'] as const;

/** Mod+K finds commands and things; ? shows the same list with its keys. */
export function Palette() {
	const mode = useView((v) => v.palette);
	const close = () => {
		useView.setState({ palette: 'closed' });
		setTimeout(() => {
			if (document.activeElement === document.body) canvasView.focus();
		});
	};
	return (
		<Dialog.Root open={mode !== 'closed'} onOpenChange={(open) => !open && close()}>
			<Dialog.Portal>
				<Dialog.Overlay className="overlay" />
				<Dialog.Content className="palette" aria-describedby={undefined}>
					<Dialog.Title className="sr-only">{mode === 'keys' ? 'All keys' : 'Commands'}</Dialog.Title>
					<Menu label="Commands" loop filter={hasAllWords}>
						<Menu.Input
							placeholder={mode === 'keys' ? 'All keys' : 'A command, or a thing: ns-red, 192.168.15.2'}
							data-testid="palette-input"
						/>
						<Menu.List>
							<Menu.Empty>Nothing of that name.</Menu.Empty>
							{groups.map((group) => (
								<Menu.Group key={group} heading={group}>
									{commands
										.filter((c) => c.group === group)
										.map((c) => (
											<Menu.Item
												key={c.id}
												value={c.id}
												keywords={[c.name]}
												disabled={c.enabled?.() === false}
												onSelect={() => {
													close();
													c.run();
												}}
											>
												<span>{c.name}</span>
												<span className="grow" />
												{c.keys.map((k) => (
													<kbd key={k}>{keyText(k)}</kbd>
												))}
											</Menu.Item>
										))}
								</Menu.Group>
							))}
							{mode === 'commands' && <Things close={close} />}
						</Menu.List>
					</Menu>
				</Dialog.Content>
			</Dialog.Portal>
		</Dialog.Root>
	);
}

/** Finds what has every word that was typed; ids are nobody's words. */
function hasAllWords(_: string, search: string, keywords: string[] = []): number {
	const text = keywords.join(' ').toLowerCase();
	const joined = text.replaceAll(' ', ''); // "layout" finds "Lay out"
	return search
		.toLowerCase()
		.split(/\s+/)
		.every((word) => text.includes(word) || joined.includes(word))
		? 1
		: 0;
}

function Things({ close }: { close: () => void }) {
	const lab = useLab((s) => s.lab);
	const find = (id: string) => {
		close();
		show(id);
	};
	return (
		<Menu.Group heading="In this lab">
			{nodesInOrder(lab).map((n) => (
				<Menu.Item key={n.id} value={n.id} keywords={[labelOf(lab, n.id), n.kind]} onSelect={() => find(n.id)}>
					<span>{labelOf(lab, n.id)}</span> <span className="small">{n.kind}</span>
				</Menu.Item>
			))}
			{Object.values(lab.interfaces)
				.filter((i) => i.kind !== 'loopback')
				.map((i) => (
					<Menu.Item
						key={i.id}
						value={i.id}
						keywords={[`${labelOf(lab, i.node)}:${i.name}`, ...i.addresses, i.mac ?? '']}
						onSelect={() => find(i.id)}
					>
						<span className="mono">
							{labelOf(lab, i.node)}:{i.name}
						</span>
						<span className="small mono">{i.addresses.join(' ')}</span>
					</Menu.Item>
				))}
		</Menu.Group>
	);
}
