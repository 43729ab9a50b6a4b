// Beside a cable that was just drawn: both names and both addresses, to be changed or left.
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useLost } from '../app/useLost';
import { useRefusal } from '../app/useRefusal';
import { Words } from '../app/Words';
import { cardTop } from '../gestures/draw';
import { pointOn } from '../model/curves';
import { labelOf } from '../model/lab';
import { canonicalAddress, checkInterfaceName } from '../model/names';
import { problemOf } from '../model/problem';
import { addressNote } from '../model/suggest';
import { edit, type Outcome } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import type { Edit } from '../wire/types.gen';
import { Floating } from './Floating';

export function CableCard() {
	const id = useView((v) => v.card);
	const exists = useLab((s) => id !== undefined && s.lab.cables[id] !== undefined);
	return id && exists ? <Card key={id} id={id} /> : null;
}

function close() {
	useView.setState({ card: undefined });
	document.getElementById('canvas')?.focus();
}

function Card({ id }: { id: string }) {
	const ends = useLab((s) => s.lab.cables[id]?.ends);
	const curve = useGeometry((g) => g.curves[id]);
	const root = useRef<HTMLFieldSetElement>(null);
	useEffect(() => root.current?.querySelector('input')?.focus({ preventScroll: true }), []);
	if (!ends || !curve) return null;
	return (
		<Floating
			at={{ x: pointOn(curve, 0.5).x, y: cardTop(curve) }}
			role="dialog"
			aria-label="New cable"
			data-testid="cable-card"
			className="card"
			onKeyDown={(e) => {
				if (e.key === 'Escape') {
					e.stopPropagation();
					close();
				}
			}}
		>
			<EndFields ref={root} id={ends[0]} letter="a" />
			<EndFields id={ends[1]} letter="b" />
			<button type="button" className="card-close" onClick={close}>
				Done <kbd>Esc</kbd>
			</button>
		</Floating>
	);
}

function EndFields({ id, letter, ref }: { id: string; letter: 'a' | 'b'; ref?: React.Ref<HTMLFieldSetElement> }) {
	const i = useLab((s) => s.lab.interfaces[id]);
	const node = useLab((s) => (i ? labelOf(s.lab, i.node) : ''));
	if (!i) return null;
	return (
		<fieldset ref={ref}>
			<legend>{node}</legend>
			<Field
				label={`Name at ${node}`}
				testid={`card-name-${letter}`}
				value={i.name}
				check={(text) => problemOf(() => checkInterfaceName(text))?.message}
				apply={(name, outcome) => edit([{ updateInterface: { id, name } }], outcome)}
			/>
			<Field
				label={`Address at ${node}`}
				testid={`card-address-${letter}`}
				value={i.addresses.join(' ')}
				{...(i.master ? {} : { placeholder: '192.168.15.1/24' })}
				check={(text) =>
					text
						.split(/\s+/)
						.filter(Boolean)
						.map((a) => problemOf(() => canonicalAddress(a))?.message)
						.find(Boolean)
				}
				note={(text) => addressNote(useLab.getState().lab, id, text.split(/\s+/)[0] ?? '')}
				apply={(text, outcome) => edit(addressEdits(id, i.addresses, text), outcome)}
			/>
		</fieldset>
	);
}

/** The edits that make one list of addresses into another. */
function addressEdits(id: string, have: readonly string[], text: string): Edit[] {
	const want = text.split(/\s+/).filter(Boolean).map(canonicalAddress);
	return [
		...have.filter((a) => !want.includes(a)).map((address) => ({ deleteAddress: { interface: id, address } })),
		...want.filter((a) => !have.includes(a)).map((address) => ({ addAddress: { interface: id, address } })),
	];
}

interface FieldProps {
	label: string;
	testid: string;
	value: string;
	placeholder?: string;
	check: (text: string) => string | undefined;
	note?: (text: string) => string | undefined;
	apply: (text: string, outcome: Outcome) => boolean;
}

function Field({ label, testid, value, placeholder, check, note, apply }: FieldProps) {
	const [text, setText] = useState(value);
	const [refusal, setRefusal] = useRefusal();
	const shown = useRef(value);
	const sent = useRef(value);
	useLayoutEffect(() => {
		if (shown.current !== value) setText(value); // changed elsewhere
		shown.current = sent.current = value;
	}, [value]);
	useLost(label, text === value || text === sent.current ? undefined : text);
	const problem = check(text) ?? refusal;
	const odd = problem ? undefined : note?.(text);
	const commit = () => {
		if (check(text) || text === value || text === sent.current) return; // Enter sends it, and leaves the field, too
		sent.current = text;
		apply(text, {
			refused: (words) => {
				sent.current = value;
				setRefusal(words);
			},
		});
	};
	return (
		<label>
			<span className="sr-only">{label}</span>
			<input
				data-testid={testid}
				value={text}
				placeholder={placeholder}
				spellCheck={false}
				autoComplete="off"
				aria-invalid={problem !== undefined}
				onChange={(e) => {
					setText(e.target.value);
					setRefusal(undefined);
				}}
				onBlur={commit}
				onKeyDown={(e) => {
					if (e.key !== 'Enter') return;
					commit();
					if (!check(text)) {
						const inputs = [...(e.currentTarget.closest('.card')?.querySelectorAll('input') ?? [])];
						const next = inputs[inputs.indexOf(e.currentTarget) + 1];
						if (next) next.focus();
						else close();
					}
				}}
			/>
			{problem && (
				<span className="field-problem" role="alert">
					<Words text={problem} />
				</span>
			)}
			{odd && <span className="field-note">{odd}</span>}
		</label>
	);
}
