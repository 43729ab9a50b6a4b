// A node's colour, from a whole word in its name: red, ns-blue, grey.
export const colours = ['red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple', 'pink', 'brown', 'gray'] as const;
export type Colour = (typeof colours)[number];

export function colourOf(name: string): Colour | undefined {
	for (const word of name.toLowerCase().split(/[^a-z]+/)) {
		if (word === 'grey') return 'gray';
		const found = colours.find((c) => c === word);
		if (found) return found;
	}
	return undefined;
}
