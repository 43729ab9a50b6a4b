// The canvas tells here how to look at it; commands know no canvas.
import type { Box, Point } from '../model/geometry';

export const far = 0.6; // below this zoom only selected and hovered things have labels

export interface CanvasView {
	fit(box: Box | undefined): void;
	zoomTo(zoom: number): void;
	zoomBy(factor: number): void;
	/** Pans just so far that the thing is in view. */
	reveal(id: string): void;
	/** The same, and zooms in where the thing would be too small to be seen. */
	find(id: string): void;
	/** Pans, and zooms out where it must, so that the whole box is in view. */
	show(box: Box | undefined): void;
	toCanvas(screen: Point): Point;
	toScreen(canvas: Point): Point;
	focus(): void;
}

export const canvasView: CanvasView = {
	fit() {},
	zoomTo() {},
	zoomBy() {},
	reveal() {},
	find() {},
	show() {},
	toCanvas: (p) => p,
	toScreen: (p) => p,
	focus() {},
};
