// The field over the name of a node or a bridge while it is renamed.
import { useEffect, useRef, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { useLost } from '../app/useLost';
import { useRefusal } from '../app/useRefusal';
import { Words } from '../app/Words';
import { checkInterfaceName, checkNodeName } from '../model/names';
import { problemOf } from '../model/problem';
import { isBar, isBridge, type Thing, thingOf, thingsIn } from '../model/things';
import { edit } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import { Floating } from './Floating';

export function Rename() {
	const id = useView((v) => v.renaming) ?? '';
	const thing = useLab(useShallow((s) => thingOf(s.lab, id)));
	return thing ? <Field key={id} thing={thing} /> : null;
}

function Field({ thing }: { thing: Thing }) {
	const { id, name, shape } = thing;
	const box = useGeometry((g) => g.boxes[id]);
	const holds = useLab((s) => thingsIn(s.lab, id).length > 0);
	const [text, setText] = useState(name);
	const [refusal, setRefusal] = useRefusal();
	const input = useRef<HTMLInputElement>(null);
	const check = () => (isBridge(shape) ? checkInterfaceName(text) : checkNodeName(shape, text));
	const problem = problemOf(check)?.message ?? refusal;
	useEffect(() => input.current?.select(), []);
	useLost(`New name of ${name}`, text === name ? undefined : text);
	if (!box) return null;
	const renamed = () =>
		isBridge(shape) ? { updateInterface: { id, name: text } } : { updateNode: { id, name: text } };
	const leave = () => useView.setState((v) => (v.renaming === id ? { renaming: undefined } : {}));
	const toCanvas = () => {
		leave();
		document.getElementById('canvas')?.focus();
	};
	return (
		<Floating at={{ x: box.x + 9, y: box.y + nameMiddle(thing, holds) }} className="rename">
			<input
				ref={input}
				aria-label={`New name of ${name}`}
				aria-invalid={problem !== undefined}
				data-testid="rename-input"
				value={text}
				size={Math.max(6, text.length)}
				spellCheck={false}
				onChange={(e) => {
					setText(e.target.value);
					setRefusal(undefined);
				}}
				onBlur={() => {
					if (!problem && text !== name) edit([renamed()]);
					leave();
				}}
				onKeyDown={(e) => {
					e.stopPropagation();
					if (e.key === 'Enter' && !problem && (text === name || edit([renamed()], { refused: setRefusal })))
						toCanvas();
					if (e.key === 'Escape') {
						setText(name);
						toCanvas();
					}
				}}
			/>
			{problem && (
				<span className="field-problem" role="alert">
					<Words text={problem} />
				</span>
			)}
		</Floating>
	);
}

/** How far below the top of its box a thing's name is written. */
function nameMiddle({ shape }: Thing, holds: boolean): number {
	if (isBar(shape)) return 14;
	return (shape === 'namespace' || shape === 'container') && !holds ? 24 : 16;
}
