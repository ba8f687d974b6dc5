-- The state is the last step of the history; made once, by a migration.
ALTER TABLE public.channels_registration
  ADD CONSTRAINT registration_has_history FOREIGN KEY (merchant_id, id, sequence, state)
    REFERENCES public.channels_registration_transition
      (merchant_id, registration_id, sequence, to_state) DEFERRABLE INITIALLY DEFERRED;
