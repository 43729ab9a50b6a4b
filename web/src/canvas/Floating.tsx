import { useStore } from '@xyflow/react';
import type { Point } from '../model/geometry';

interface Props extends React.HTMLAttributes<HTMLDivElement> {
	/** On the canvas. */
	at: Point;
}

/** What one types beside the drawing: at a point of it, within what is in view, and in the screen's own size at any zoom. */
export function Floating({ at, className = '', ...props }: Props) {
	const [x, y, zoom] = useStore((s) => s.transform);
	const style = { '--x': `${at.x * zoom + x}px`, '--y': `${at.y * zoom + y}px` } as React.CSSProperties;
	return <div {...props} className={`floating ${className}`} style={style} />;
}
