import { Fragment } from 'react';

/** Text in which `backquotes` are what a shell would print. */
export function Words({ text }: { text: string }) {
	const parts = text.split('`');
	return parts.map((part, at) => {
		// biome-ignore lint/suspicious/noArrayIndexKey: the parts of one fixed text
		return at % 2 === 1 && at < parts.length - 1 ? <code key={at}>{part}</code> : <Fragment key={at}>{part}</Fragment>;
	});
}
