import { Fragment, memo } from 'react';
import { optionsIn } from '../model/firewall';

/** Text in which `backquotes` are what a shell would print. */
export function Words({ text }: { text: string }) {
	const parts = text.split('`');
	return parts.map((part, at) =>
		at % 2 === 1 && at < parts.length - 1 ? (
			// biome-ignore lint/suspicious/noArrayIndexKey: the parts of one fixed text
			<code key={at}>
				<Options text={part} />
			</code>
		) : (
			// biome-ignore lint/suspicious/noArrayIndexKey: as above
			<Fragment key={at}>{part}</Fragment>
		),
	);
}

/** A command's or a rule's options, each kept in one piece where lines are broken. */
export const Options = memo(function Options({ text }: { text: string }) {
	return optionsIn(text).map((option, at) => (
		// biome-ignore lint/suspicious/noArrayIndexKey: an option may be there twice, and none moves
		<Fragment key={at}>
			{at > 0 && ' '}
			<span className={/^(-j|-g|--jump|--goto)\b/.test(option) ? 'option is-target' : 'option'}>{option}</span>
		</Fragment>
	));
});
