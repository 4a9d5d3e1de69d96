package member

import (
	"context"
	"sync"
)

// queue gathers enrolments that arrive at the same time, so that they share a transaction as database commits do. A lone one never
// waits for others.
type queue struct {
	mu      sync.Mutex
	waiting []*queued
	working bool
}

type queued struct {
	enrolment Enrolment
	result    EnrolResult
	err       error
	done      chan struct{}
}

// EnrolOne enrols one person, together with others who enrol at the same moment. The result is as Enrol's; where ctx ends before it is
// there, the enrolment may have been made all the same.
func (s *Service) EnrolOne(ctx context.Context, e Enrolment) (EnrolResult, error) {
	q := &queued{enrolment: e, done: make(chan struct{})}
	s.queue.mu.Lock()
	s.queue.waiting = append(s.queue.waiting, q)
	if !s.queue.working {
		s.queue.working = true
		go s.workOff(context.WithoutCancel(ctx))
	}
	s.queue.mu.Unlock()
	select {
	case <-q.done:
		return q.result, q.err
	case <-ctx.Done():
		return EnrolResult{}, ctx.Err()
	}
}

// workOff enrols what is waiting, a batch at a time, until nothing is.
func (s *Service) workOff(ctx context.Context) {
	for {
		s.queue.mu.Lock()
		batch := s.queue.waiting[:min(len(s.queue.waiting), importChunk)]
		s.queue.waiting = s.queue.waiting[len(batch):]
		s.queue.working = len(batch) > 0
		s.queue.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		enrolments := make([]Enrolment, len(batch))
		for i, q := range batch {
			enrolments[i] = q.enrolment
		}
		results, err := s.Enrol(ctx, enrolments)
		for i, q := range batch {
			if q.err = err; err == nil {
				q.result = results[i]
			}
			close(q.done)
		}
	}
}
