"""AdamW with warm-up, and cosine, linear or stepwise decay."""

import keras
import tensorflow as tf

from common.errors import SettingError


def make_optimizer(recipe, steps_per_epoch, undecayed=(), scales=None):
    """Makes the optimizer of a run, for gradients that are already summed over the replicas.

    Args:
        recipe: A `Recipe`.
        steps_per_epoch: Optimizer steps in an epoch.
        undecayed: Variables without weight decay: see `pale_tf.decay`.
        scales: Dict of factors of the learning rate, by `id` of variables, or None for 1 each: see
            `pale_tf.decay.layer_scales`.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    optimizer = AdamW(
        make_schedule(recipe, steps_per_epoch),
        scales=scales,
        weight_decay=recipe.weight_decay,
        beta_2=recipe.beta_2,
        global_clipnorm=recipe.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_list=list(undecayed))
    return optimizer


def make_schedule(recipe, steps_per_epoch):
    """Linear warm-up, for half of the run at most, and the recipe's decay.

    The peak is in proportion to the batch: `learning_rate` at a batch of `base_batch_size`.

    Raises:
        SettingError: If there is no such decay, or `drops` do not go with it or with the epochs.
    """
    if recipe.schedule not in SCHEDULES:
        raise SettingError(
            f"`schedule` must be one of {', '.join(SCHEDULES)}. Received: {recipe.schedule!r}"
        )
    if (recipe.schedule == "steps") != bool(recipe.drops):
        raise SettingError(
            "`drops` must be given for the schedule `steps`, and for no other. Received: "
            f"{recipe.drops} with {recipe.schedule!r}"
        )
    if any(drop >= recipe.epochs for drop in recipe.drops):
        raise SettingError(
            f"`drops` must be before the last epoch, {recipe.epochs}. Received: {recipe.drops}"
        )
    options = {}
    if recipe.drops:
        options["drops"] = [round(epoch * steps_per_epoch) for epoch in recipe.drops]
    steps = recipe.epochs * steps_per_epoch
    warmup_steps = min(recipe.warmup_epochs * steps_per_epoch, steps // 2)
    return SCHEDULES[recipe.schedule](
        initial_learning_rate=0.0,
        warmup_target=recipe.learning_rate * recipe.batch_size / recipe.base_batch_size,
        warmup_steps=warmup_steps,
        decay_steps=steps - warmup_steps,
        **options,
    )


class _WarmedUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, with the arguments of Keras' `CosineDecay`, and then `_after`."""

    def __init__(self, initial_learning_rate, warmup_target, warmup_steps, decay_steps):
        super().__init__()
        self.initial_learning_rate = initial_learning_rate
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        begun = step / max(self.warmup_steps, 1e-9)
        rise = self.warmup_target - self.initial_learning_rate
        rising = self.initial_learning_rate + rise * begun
        return tf.where(step < self.warmup_steps, rising, self._after(step))

    def get_config(self):
        names = ("initial_learning_rate", "warmup_target", "warmup_steps", "decay_steps")
        return {name: getattr(self, name) for name in names}


class LinearDecay(_WarmedUp):
    """Linear warm-up and linear decay to 0."""

    def _after(self, step):
        left = 1.0 - (step - self.warmup_steps) / self.decay_steps
        return self.warmup_target * tf.clip_by_value(left, 0.0, 1.0)


class StepDecay(_WarmedUp):
    """Linear warm-up, then a constant rate that each of `drops`, steps, divides by 10."""

    def __init__(self, drops, **arguments):
        super().__init__(**arguments)
        self.drops = tuple(drops)

    def _after(self, step):
        passed = tf.add_n([tf.cast(step >= drop, tf.float32) for drop in self.drops])
        return self.warmup_target * tf.pow(0.1, passed)

    def get_config(self):
        return {**super().get_config(), "drops": self.drops}


SCHEDULES = {
    "cosine": keras.optimizers.schedules.CosineDecay,
    "linear": LinearDecay,
    "steps": StepDecay,
}


class AdamW(keras.optimizers.AdamW):
    """Keras' AdamW, for gradients that are already summed over the replicas.

    Keras sums them itself, but after it has clipped them and, in `LossScaleOptimizer`, looked for
    overflow: replica by replica, on its own part. The trainer sums first.

    Args:
        scales: Factors of the learning rate by `id` of variables, or None for 1 each. Weight decay,
            which is in proportion to the learning rate, has them too. They are of these variables,
            and no part of the configuration.
    """

    def __init__(self, *args, scales=None, **kwargs):
        super().__init__(*args, **kwargs)
        self._scales_by_id = scales
        self._scales = None

    def build(self, variables):
        super().build(variables)
        # To updates, Keras hands over what a `keras.Variable` holds, on one of the replicas.
        if self._scales_by_id is not None:
            self._scales = {self._var_key(v): self._scales_by_id[id(v)] for v in variables}

    def update_step(self, gradient, variable, learning_rate):
        """Adam's update by TensorFlow's one operation, where Keras passes over memory 12 times."""
        if self._scales is not None:
            learning_rate = learning_rate * self._scales[self._var_key(variable)]
            if self._use_weight_decay(variable):
                variable.assign_sub(variable * self.weight_decay * learning_rate)
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def _apply_weight_decay(self, variables):
        if self._scales is None:  # else each variable decays by its own rate, in its update
            super()._apply_weight_decay(variables)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)
