package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vethlab/labengine"
)

// metrics are what GET /metrics tells, in a registry of the server's own.
type metrics struct {
	registry  *prometheus.Registry
	clients   prometheus.Gauge
	requests  *prometheus.CounterVec
	messages  prometheus.Counter
	frames    prometheus.Counter
	durations *prometheus.HistogramVec
}

func newMetrics(s *store) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		clients: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vethlab_clients", Help: "Pages that look at a lab now.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vethlab_requests_total", Help: "Requests to labs by what they asked for, and how they ended: ok, or the problem's code.",
		}, []string{"kind", "result"}),
		messages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vethlab_messages_total", Help: "Messages sent to all pages of a lab, counted once for each page.",
		}),
		frames: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vethlab_frames_sent_total", Help: "Captured frames sent to pages, counted once for each page.",
		}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vethlab_http_seconds", Help: "How long HTTP requests took; websockets are not among them.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route", "status"}),
	}
	m.registry.MustRegister(m.clients, m.requests, m.messages, m.frames, m.durations, labCollector{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count notes how a request ended.
func (m *metrics) count(r labengine.Request, err error) {
	kind := "other"
	switch {
	case r.Op != nil:
		kind = "op"
	case r.Restore != nil:
		kind = "restore"
	case r.Undo != nil:
		kind = "undo"
	case r.Redo != nil:
		kind = "redo"
	case r.Ping != nil:
		kind = "ping"
	case r.ARP != nil:
		kind = "arp"
	}
	result := "ok"
	if err != nil {
		result = string(labengine.CodeInternal)
		if p, ok := err.(*labengine.Problem); ok {
			result = string(p.Code)
		}
	}
	m.requests.WithLabelValues(kind, result).Inc()
}

// timed notes how long each request took, by its route.
func (m *metrics) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(wrapped, r)
		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "" {
			route = "none"
		}
		m.durations.WithLabelValues(r.Method, route, strconv.Itoa(wrapped.Status())).Observe(time.Since(start).Seconds())
	})
}

// labCollector counts the labs by their state, when asked.
type labCollector struct{ store *store }

var labsDesc = prometheus.NewDesc("vethlab_labs", "Labs by state.", []string{"state"}, nil)

func (c labCollector) Describe(out chan<- *prometheus.Desc) { out <- labsDesc }

func (c labCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts := map[labengine.State]int{
		labengine.Stopped: 0, labengine.Starting: 0, labengine.Running: 0, labengine.Stopping: 0, labengine.Dead: 0,
	}
	labs, err := c.store.listLabs(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(labsDesc, err)
		return
	}
	for _, l := range labs {
		counts[l.State]++
	}
	for state, n := range counts {
		out <- prometheus.MustNewConstMetric(labsDesc, prometheus.GaugeValue, float64(n), string(state))
	}
}
